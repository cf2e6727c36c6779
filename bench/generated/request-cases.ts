import { BlkDevice, type BlkRequest } from "virtio-gen/devices/blk";
import {
  CodecError,
  type Completion,
  type DeviceChain,
  type DeviceQueue,
  type QueuePosition,
  FeatureSet,
  GuestMemory,
  type QueueHandler,
  ReadableBytes,
  RequestServer,
  RequestSlot,
  type SlotHost,
  WritableBytes,
} from "virtio-gen/runtime";
import { DescriptorChain } from "../../src/runtime/ring/descriptor-chain.js";
import { SegmentBudget } from "../../src/runtime/ring/segment-list.js";
import type { Case } from "./case.js";

const COUNT = 64;

/**
 * A queue that gives the same chains again and again, so that the ring is not measured: a third each of reads, writes
 * and flushes.
 */
class SameRequests implements DeviceQueue {
  readonly index = 0;
  readonly size = COUNT;
  readonly memory = GuestMemory.flat(1 << 16);
  readonly broken = undefined;
  written = 0;
  readonly #chains: readonly DescriptorChain[];
  #next = COUNT;

  constructor() {
    const budget = new SegmentBudget();
    this.#chains = Array.from({ length: COUNT }, (_, slot) => {
      const chain = new DescriptorChain(slot, this.memory, budget, 3);
      this.#fill(chain);
      return chain;
    });
  }

  #fill(chain: DescriptorChain): void {
    const { slot } = chain;
    const address = slot * 1024;
    const type = [0, 1, 4][slot % 3] ?? 0;
    const view = this.memory.regions[0]?.view;
    view?.setUint32(address, type, true);
    view?.setUint32(address + 8, slot * 8, true);
    chain.begin();
    chain.append(address, 0, 16, false);
    if (type !== 4) chain.append(address + 16, 0, 512, type === 0);
    chain.append(address + 528, 0, 1, true);
    chain.live = true;
  }

  restart(): void {
    this.#next = 0;
  }
  take(): DeviceChain | undefined {
    return this.#next < COUNT ? this.#chains[this.#next++] : undefined;
  }
  complete(_chain: DeviceChain, written: number): "completed" {
    this.written += written;
    return "completed";
  }
  get position(): QueuePosition {
    return { available: 0, used: 0, availableWrap: 1, usedWrap: 1 };
  }
  inFlight(): [] {
    return [];
  }
  flush(): void {}
  publish(): void {}
  enableNotifications(): boolean {
    return false;
  }
  disableNotifications(): void {}
  dispose(): void {}
}

function serve(handler: QueueHandler, queue: SameRequests, rounds: number): number {
  queue.written = 0;
  for (let round = 0; round < rounds; round++) {
    queue.restart();
    handler.notified();
  }
  return queue.written;
}

// ---- generated ----

let generatedSum = 0;

class OneQueueDevice extends BlkDevice {
  /** What serves the queue, without the transport around it. */
  get handler(): QueueHandler {
    const [plan] = this.queuePlan(FeatureSet.none);
    if (plan === undefined) throw new Error("a disk has a request queue");
    return plan.handler;
  }
}

function handleGenerated(request: BlkRequest): Completion {
  switch (request.type) {
    case "IN":
    case "OUT":
      generatedSum += request.sectorNumber + request.data.length;
      return request.complete("OK");
    case "FLUSH":
      return request.complete("OK");
    default:
      return request.complete("UNSUPP");
  }
}

// ---- by hand ----

let sumByHand = 0;

/** Types and states are numbers here, as they would be in code that reads them with a DataView. */
class HandRequest extends RequestSlot {
  type = 0;
  data: ReadableBytes | WritableBytes | undefined = undefined;
  readonly #dataIn = new ReadableBytes();
  readonly #dataOut = new WritableBytes();

  constructor(host: SlotHost, slot: number) {
    super(host, slot, 16);
  }

  get sectorNumber(): number {
    return this.head.getUint32(8, true) + this.head.getUint32(12, true) * 2 ** 32;
  }

  protected override decode(): CodecError | undefined {
    const { readable, writable } = this;
    if (this.headLength < 16) return new CodecError("truncated", this.headLength);
    if (writable.length < 1) return new CodecError("too-small", writable.length);
    this.type = this.head.getUint32(0, true);
    if (this.type === 0) this.data = this.#dataOut.window(writable, 0, writable.length - 1);
    else if (this.type === 1) this.data = this.#dataIn.window(readable, 16, readable.length - 16);
    else this.data = undefined;
    return undefined;
  }

  complete(status: number): Completion {
    const { writable } = this;
    writable.setByte(writable.length - 1, status);
    return this.finish(writable.length);
  }

  override toJSON(): object {
    return { type: this.type };
  }
}

function handleByHand(request: HandRequest): Completion {
  switch (request.type) {
    case 0:
    case 1:
      sumByHand += request.sectorNumber + (request.data?.length ?? 0);
      return request.complete(0);
    case 4:
      return request.complete(0);
    default:
      return request.complete(2);
  }
}

const fail = (error: Error): never => {
  throw error;
};

const generatedQueue = new SameRequests();
const generatedHandler = new OneQueueDevice({
  config: { capacity: 4096n },
  requestq: handleGenerated,
  onProtocolError: fail,
}).handler;
generatedHandler.start(generatedQueue, FeatureSet.none);

const handQueue = new SameRequests();
const handHandler = new RequestServer({
  createSlot: (host, slot) => new HandRequest(host, slot),
  handle: handleByHand,
  report: fail,
});
handHandler.start(handQueue, FeatureSet.none);

/** From the chain to the completion, with nothing done to the data. */
export const requestCases: readonly Case[] = [
  {
    name: "serve virtio_blk_req",
    items: COUNT,
    generated(rounds) {
      generatedSum = 0;
      return serve(generatedHandler, generatedQueue, rounds) + generatedSum;
    },
    byHand(rounds) {
      sumByHand = 0;
      return serve(handHandler, handQueue, rounds) + sumByHand;
    },
  },
];
