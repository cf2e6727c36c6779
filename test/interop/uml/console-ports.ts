import {
  ConsoleDevice,
  type ConsoleControlMessage,
  type ConsoleControlMessageBuffer,
} from "../../../generated/console.js";

/** What a console port is called and does. */
export interface PortPlan {
  /** The name that its driver shows; absent: it is a console. */
  readonly name?: string;
}

/** One port, as the device sees it. */
export interface Port {
  /** What the driver wrote to it and nobody took. */
  written: Buffer;
  /** How often programs of the guest opened and closed it. */
  opened: number;
  closed: number;
}

/** A console device with ports that keep what is written to them. */
export class ConsolePorts {
  readonly device: ConsoleDevice;
  readonly ports: readonly Port[];
  /** Ports that the driver could set up. */
  readonly ready = new Set<number>();
  readonly #plans: readonly PortPlan[];
  /** For each port, what waits for buffers of the driver. */
  readonly #waiting: { readonly bytes: Buffer; at: number; readonly done: () => void }[][];
  /** Control messages that wait for buffers. */
  readonly #messages: ConsoleControlMessage[] = [];

  /** @param plans Ports by their numbers; those that are `undefined` are added by {@link add}. */
  constructor(plans: readonly PortPlan[], present: number) {
    this.#plans = plans;
    this.ports = plans.map(() => ({ written: Buffer.alloc(0), opened: 0, closed: 0 }));
    this.#waiting = plans.map(() => []);
    this.device = new ConsoleDevice({
      features: ["MULTIPORT", "SIZE"],
      config: { cols: 80, rows: 25, maxNrPorts: plans.length },
      transmitq: (buffer) => {
        const port = this.ports[buffer.position];
        if (port !== undefined) port.written = Buffer.concat([port.written, buffer.data.toUint8Array()]);
        return buffer.complete();
      },
      controlTransmitq: (buffer) => this.#control(buffer, present),
    });
    for (const [number, queue] of this.device.receiveqs.entries()) queue.onAvailable = () => this.#feed(number);
    this.device.controlReceiveq.onAvailable = () => this.#tell();
  }

  /** Everything that was written to a port, up to now; it is taken. */
  take(number: number): Buffer {
    const port = this.#port(number);
    const { written } = port;
    port.written = Buffer.alloc(0);
    return written;
  }

  /** Sends bytes to a port, as the driver has buffers for them. */
  send(number: number, bytes: Buffer): Promise<void> {
    return new Promise((done) => {
      this.#waiting[number]?.push({ bytes, at: 0, done });
      this.#feed(number);
    });
  }

  /** Plugs a port in. */
  add(number: number): void {
    this.#say({ header: { id: number, event: "DEVICE_ADD", value: 0 } });
  }
  /** Pulls a port out. */
  remove(number: number): void {
    this.ready.delete(number);
    this.#say({ header: { id: number, event: "DEVICE_REMOVE", value: 0 } });
  }
  /** The host's end of a port is there, or is not. */
  open(number: number, isOpen: boolean): void {
    this.#say({ header: { id: number, event: "PORT_OPEN", value: isOpen ? 1 : 0 } });
  }
  resize(number: number, cols: number, rows: number): void {
    this.#say({ header: { id: number, event: "RESIZE", value: 0 }, body: { kind: "RESIZE", size: { cols, rows } } });
  }

  #port(number: number): Port {
    const port = this.ports[number];
    if (port === undefined) throw new RangeError(`there is no port ${number}`);
    return port;
  }

  #control(buffer: ConsoleControlMessageBuffer, present: number): ReturnType<ConsoleControlMessageBuffer["complete"]> {
    const { id, event, value } = buffer.header;
    if (event === "DEVICE_READY" && value === 1) for (let number = 0; number < present; number++) this.add(number);
    const plan = this.#plans[id];
    if (event === "PORT_READY" && value === 1 && plan !== undefined) {
      this.ready.add(id);
      const { name } = plan;
      if (name === undefined) this.#say({ header: { id, event: "CONSOLE_PORT", value: 1 } });
      else this.#say({ header: { id, event: "PORT_NAME", value: 1 }, body: { kind: "PORT_NAME", name } });
      this.open(id, true);
    }
    const port = this.ports[id];
    if (event === "PORT_OPEN" && port !== undefined) port[value === 1 ? "opened" : "closed"]++;
    return buffer.complete();
  }

  #say(message: ConsoleControlMessage): void {
    this.#messages.push(message);
    this.#tell();
  }

  #tell(): void {
    for (let message = this.#messages[0]; message !== undefined; message = this.#messages[0]) {
      if (!this.device.controlReceiveq.send(message)) return;
      this.#messages.shift();
    }
  }

  #feed(number: number): void {
    const queue = this.device.receiveqs[number];
    const waiting = this.#waiting[number] ?? [];
    for (let first = waiting[0]; first !== undefined && queue !== undefined; first = waiting[0]) {
      // Linux's buffers are pages.
      const piece = first.bytes.subarray(first.at, first.at + 4096);
      if (!queue.send({ data: piece })) return;
      first.at += piece.length;
      if (first.at < first.bytes.length) continue;
      waiting.shift();
      first.done();
    }
  }
}
