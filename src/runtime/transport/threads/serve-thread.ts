import type { VirtioDevice } from "../../device/index.js";
import { GuestMemory } from "../../memory/index.js";
import { CommonFeature, FeatureSet } from "../../negotiation/index.js";
import type { Trace } from "../trace.js";
import { configChange, DoorbellReceiver, DoorbellSender, type Waiting } from "./doorbell.js";
import type { ThreadEnd, ThreadPort } from "./thread-channel.js";
import { ThreadLostError } from "./thread-lost.js";
import { dataOf, isClose, isRequest, protocolVersion, type Value } from "./thread-messages.js";

export interface ServeThreadOptions {
  /** How the device waits for the driver; `async` if absent. */
  readonly waiting?: Waiting;
  /** Told of all that goes over the transport. */
  readonly trace?: Trace;
}

/** A device that is served to the thread at the other end. */
export interface ServedThread {
  /**
   * Done when the channel is closed: undefined if it was closed on either side, an error if the driver's thread was
   * lost. The device has been reset and taken off the channel by then, and can be served anew.
   */
  readonly closed: Promise<ThreadLostError | undefined>;
  /** Ends it: resets the device and tells the driver. */
  close(): void;
  /** The driver's thread is known to have ended. For browsers that do not tell; Node does. */
  lost(why: string): void;
}

/** Longest read of the configuration that is answered; what is behind the space is zero anyway. */
const mostConfigBytes = 65_536;

/** A doorbell says which queue it is for, and nothing else. */
const unsupported = FeatureSet.of([CommonFeature.NOTIFICATION_DATA, CommonFeature.NOTIF_CONFIG_DATA]);

/** Connects a device to one end of a channel. Whatever the driver sends, nothing throws. */
export function serveThread<Port extends ThreadPort>(
  device: VirtioDevice,
  end: ThreadEnd<Port>,
  options: ServeThreadOptions = {},
): ServedThread {
  const { port } = end;
  const memory = new GuestMemory([{ start: end.memoryStart, bytes: new Uint8Array(end.memory) }]);
  const sender = new DoorbellSender(end.bells, 1);
  const receiver = new DoorbellReceiver(end.bells, 0, options.waiting ?? "async", (what) => {
    device.queue(what)?.notify();
  });
  device.attach({
    memory,
    unsupported,
    notifyDriver: (queue) => {
      device.trace?.({ kind: "interrupt", queue });
      sender.ring(queue);
    },
    notifyConfig: () => sender.ring(configChange),
    trace: options.trace,
  });

  let open = true;
  let settle: (error: ThreadLostError | undefined) => void = () => undefined;
  const closed = new Promise<ThreadLostError | undefined>((resolve) => (settle = resolve));
  const finish = (error: ThreadLostError | undefined, tell: string | undefined): void => {
    if (!open) return;
    open = false;
    // First of all: from here on nothing touches the memory any more.
    device.detach();
    receiver.stop();
    if (tell !== undefined) {
      sender.announceMessage();
      port.postMessage({ close: tell });
    }
    port.close();
    settle(error);
  };

  port.addEventListener("message", (event) => {
    const data = dataOf(event);
    if (!open) return;
    receiver.messageArrived();
    if (isClose(data)) {
      finish(undefined, undefined);
    } else if (isRequest(data)) {
      const value = answer(device, data.request);
      if (value === undefined) {
        finish(new ThreadLostError("it sends a request that is none"), "a request is malformed");
        return;
      }
      sender.announceMessage();
      port.postMessage({ id: data.id, value });
    } else {
      finish(new ThreadLostError("it sends what is no message"), "a message is malformed");
    }
  });
  port.addEventListener("messageerror", () => finish(new ThreadLostError("a message cannot be read"), "messageerror"));
  port.addEventListener("close", () => finish(new ThreadLostError("its port is closed"), undefined));
  port.start();
  void receiver.run();

  return {
    closed,
    close: () => finish(undefined, "the device is closed"),
    lost: (why) => finish(new ThreadLostError(why), undefined),
  };
}

/** What the device's registers say. Undefined: that is no request. */
function answer(device: VirtioDevice, [name, ...parameters]: readonly Value[]): Value | undefined {
  const number = (index: number): number => {
    const value = parameters[index];
    return typeof value === "number" ? value : NaN;
  };
  switch (name) {
    case "hello":
      return number(0) === protocolVersion ? device.definition.id : undefined;
    case "get-status":
      return device.status;
    case "set-status":
      device.writeStatus(number(0));
      return true;
    case "get-features":
      return ([0, 1, 2, 3] as const).map((word) => device.offered.word(word));
    case "set-features":
      return device.setDriverFeatures(FeatureSet.fromWords([number(0), number(1), number(2), number(3)]));
    case "read-config": {
      const length = number(1);
      if (!Number.isInteger(length) || length < 0 || length > mostConfigBytes) return undefined;
      const bytes = new Uint8Array(length);
      device.readConfig(number(0), bytes);
      return bytes;
    }
    case "write-config": {
      const bytes = parameters[1];
      if (!(bytes instanceof Uint8Array)) return undefined;
      device.writeConfig(number(0), bytes);
      return true;
    }
    case "config-generation":
      return device.configGeneration;
    case "queue-max-size":
      return device.queue(number(0))?.maxSize ?? 0;
    case "enable-queue": {
      const queue = device.queue(number(0));
      const addresses = { size: number(1), descriptor: number(2), driver: number(3), device: number(4) };
      return queue?.configure(addresses) === true && queue.enable();
    }
    case "reset-queue":
      return device.queue(number(0))?.reset() === true;
    case "queue-enabled":
      return device.queue(number(0))?.enabled === true;
    case "queue-resetting":
      return device.queue(number(0))?.resetting === true;
    default:
      return undefined;
  }
}
