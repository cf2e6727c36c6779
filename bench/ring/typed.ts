import { BlkDevice } from "virtio-gen/devices/blk";
import { FeatureSet, type QueueHandler } from "virtio-gen/runtime";
import { GuestMemory } from "../../src/runtime/memory/index.js";
import { createPair, memorySize, type Format, type Pair } from "./one-thread.js";
import type { Subject } from "./subject.js";

const size = 256;
const headAddress = 0x1000;
const headLength = 16;
const statusAddress = 0x1100;
const flush = 4;

/** A generated device without the transport around it. */
class Disk extends BlkDevice {
  get handler(): QueueHandler {
    const [plan] = this.queuePlan(FeatureSet.none);
    if (plan === undefined) throw new Error("a disk has a request queue");
    return plan.handler;
  }
}

function prepare(format: Format): { readonly pair: Pair; readonly status: () => number | undefined } {
  const memory = GuestMemory.flat(memorySize(size, 1));
  const region = memory.locate(headAddress, headLength);
  region?.view.setUint32(headAddress - region.start, flush, true);
  const bytes = memory.locate(statusAddress, 1)?.bytes;
  bytes?.fill(0xff, statusAddress, statusAddress + 1);
  return { pair: createPair(format, size, memory), status: () => bytes?.[statusAddress] };
}

function send({ driver }: Pair, batch: number): void {
  for (let index = 0; index < batch; index++) {
    driver.begin();
    driver.addReadable(headAddress, headLength);
    driver.addWritable(statusAddress, 1);
    driver.end();
  }
  driver.kick();
}

function receive({ driver }: Pair): number {
  let count = 0;
  do {
    while (driver.poll() >= 0) count += driver.lastWritten;
  } while (driver.enableNotifications());
  return count;
}

/** Requests of a disk that have no data: head in, status out, served by generated code. */
export function typed(format: Format, batch: number): Subject {
  const { pair, status } = prepare(format);
  let served = 0;
  const disk = new Disk({
    config: { capacity: 4096n },
    requestq(request) {
      served++;
      return request.type === "FLUSH" ? request.complete("OK") : request.complete("UNSUPP");
    },
    onProtocolError(error) {
      throw error;
    },
  });
  const { handler } = disk;
  handler.start(pair.device, FeatureSet.none);
  let sent = 0;
  return {
    run(items) {
      for (let done = 0; done < items; done += batch) {
        send(pair, batch);
        while (handler.notified());
        if (receive(pair) !== batch) throw new Error("a request was lost");
      }
      sent += items;
    },
    check() {
      if (served !== sent || status() !== 0) throw new Error("the requests were not served");
    },
    end() {},
  };
}

/** The same buffers on the same rings, without a look at what is in them. */
export function bare(format: Format, batch: number): Subject {
  const { pair } = prepare(format);
  const { device } = pair;
  return {
    run(items) {
      for (let done = 0; done < items; done += batch) {
        send(pair, batch);
        for (let chain = device.take(); chain !== undefined; chain = device.take()) {
          device.complete(chain, chain.writableLength);
        }
        device.flush();
        if (receive(pair) !== batch) throw new Error("a buffer was lost");
      }
    },
    check() {},
    end() {},
  };
}
