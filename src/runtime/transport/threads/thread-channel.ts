import { doorbellBytes } from "./doorbell.js";

/** What is used of a MessagePort, of a browser or of Node. */
export interface ThreadPort {
  postMessage(message: unknown): void;
  addEventListener(type: "message" | "messageerror" | "close", listener: (event: object) => void): void;
  start(): void;
  close(): void;
}

type BuiltInPort = InstanceType<typeof MessageChannel>["port1"];

/**
 * One end of a channel: goes to the thread of the device or of the driver as it is, with postMessage and `port` in the
 * list of what is transferred. The memory is shared, not copied.
 */
export interface ThreadEnd<Port extends ThreadPort = BuiltInPort> {
  readonly port: Port;
  /** Guest memory, one region. */
  readonly memory: SharedArrayBuffer;
  /** Guest-physical address of its first byte. */
  readonly memoryStart: number;
  /** Words on which the two sides ring and sleep. */
  readonly bells: SharedArrayBuffer;
}

export interface ThreadChannelOptions {
  /** Size of the guest memory in bytes; 32 MiB if absent. */
  readonly memorySize?: number;
  /** Memory to use instead, such as that of a WebAssembly.Memory. */
  readonly memory?: SharedArrayBuffer;
  /** Guest-physical address of its first byte; 0x1000 if absent, so that address 0 is not an address. */
  readonly memoryStart?: number;
}

/** The two ends of a channel between threads. */
export interface ThreadChannel {
  readonly driver: ThreadEnd;
  readonly device: ThreadEnd;
}

const defaultMemorySize = 32 * 1024 * 1024;

/** Makes a channel. Who starts the threads makes it, keeps one end or none, and posts the other ones. */
export function createThreadChannel(options: ThreadChannelOptions = {}): ThreadChannel {
  const memory = options.memory ?? new SharedArrayBuffer(options.memorySize ?? defaultMemorySize);
  const bells = new SharedArrayBuffer(doorbellBytes);
  const memoryStart = options.memoryStart ?? 0x1000;
  const { port1, port2 } = new MessageChannel();
  return {
    driver: { port: port1, memory, memoryStart, bells },
    device: { port: port2, memory, memoryStart, bells },
  };
}
