import type { Trace, TraceEvent } from "virtio-gen/runtime";
import { paint } from "../shared/terminal.js";

const WIDTH = 80;

/** Collects what goes over a transport, and prints the part that belongs to one request. */
export class Recorder {
  readonly #events: TraceEvent[] = [];
  readonly trace: Trace = (event) => {
    if (this.#recording) this.#events.push(event);
  };
  #recording = false;

  /** Runs something and keeps what happens meanwhile. */
  async record<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#events.length = 0;
    this.#recording = true;
    try {
      return await action();
    } finally {
      this.#recording = false;
    }
  }

  /** What was recorded, one line an event, at most 80 columns. */
  lines(): string[] {
    return this.#events.flatMap(describe);
  }
}

function describe(event: TraceEvent): string[] {
  switch (event.kind) {
    case "driver-notify":
      return [row("driver", `notifies queue ${String(event.queue)}`)];
    case "chain":
      return [
        row("chain", `queue ${String(event.queue)}, slot ${String(event.slot)}`),
        ...event.descriptors.map((descriptor, index) =>
          row(
            "",
            `[${String(index)}] ${descriptor.direction} ${hexAddress(descriptor.address)} + ${String(descriptor.length)}`,
          ),
        ),
      ];
    case "request":
      return [row("request", fields(event.request))];
    case "reply":
      return [row("reply", fields(event.reply))];
    case "completion":
      return [row("used", `slot ${String(event.slot)}, ${String(event.written)} bytes written`)];
    case "interrupt":
      return [row("device", `notifies the driver, queue ${String(event.queue)}`)];
    case "status":
    case "features":
    case "config-write":
    case "config-change":
      return [];
  }
}

function hexAddress(address: number): string {
  return `0x${address.toString(16).padStart(8, "0")}`;
}

function fields(value: object): string {
  return Object.entries(value)
    .map(([name, field]) => `${name} ${show(field)}`)
    .join(", ");
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${String(value.length)} bytes`;
  if (Array.isArray(value)) return `[${value.map(show).join("; ")}]`;
  if (typeof value === "object" && value !== null) return `{ ${fields(value)} }`;
  return String(value);
}

function row(label: string, text: string): string {
  const room = WIDTH - 14;
  const cut = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  return `    ${paint("yellow", label.padEnd(9))} ${cut}`;
}
