import type { Trace, TraceEvent } from "virtio-gen/runtime";
import { paint } from "../shared/terminal.js";

/** What an 80-column terminal leaves beside the labels. */
const ROOM = 80 - 14;

/** Collects what goes over a transport, and prints the part that belongs to one request. */
export class Recorder {
  readonly #lines: string[] = [];
  /** Described at once: a request is a view of memory that is used again. */
  readonly trace: Trace = (event) => {
    if (this.#recording) this.#lines.push(...describe(event));
  };
  #recording = false;

  /** Runs something and keeps what happens meanwhile. */
  async record<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#lines.length = 0;
    this.#recording = true;
    try {
      return await action();
    } finally {
      this.#recording = false;
    }
  }

  /** What was recorded, one line an event, at most 80 columns. */
  lines(): readonly string[] {
    return this.#lines;
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
      return wrapped("request", fields(event.request));
    case "reply":
      return wrapped("reply", fields(event.reply));
    case "completion":
      return [row("used", `slot ${String(event.slot)}, ${String(event.written)} bytes written`)];
    case "interrupt":
      return [row("device", `notifies the driver, queue ${String(event.queue)}`)];
    case "queue-reset":
      return [row("reset", `queue ${String(event.queue)}, ${event.state}`)];
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

/** Views of a message say what is in them by `toJSON`. */
function isView(value: object): value is { toJSON(): object } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** The fields of a decoded message, one text each. */
function fields(value: object): string[] {
  const plain = isView(value) ? value.toJSON() : value;
  return Object.entries(plain)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => `${name} ${show(field)}`);
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${String(value.length)} bytes`;
  if (Array.isArray(value)) return `[${value.map(show).join("; ")}]`;
  if (typeof value === "object" && value !== null) return `{ ${fields(value).join(", ")} }`;
  return String(value);
}

/** As many rows as a text needs, broken at spaces. */
function wrapped(label: string, parts: readonly string[]): string[] {
  const rows: string[] = [];
  let current = "";
  for (const word of parts.join(", ").split(" ")) {
    if (current !== "" && current.length + 1 + word.length > ROOM) {
      rows.push(current);
      current = word;
    } else {
      current += current === "" ? word : ` ${word}`;
    }
  }
  return [...rows, current].map((text, index) => row(index === 0 ? label : "", text));
}

function row(label: string, text: string): string {
  const cut = text.length > ROOM ? `${text.slice(0, ROOM - 1)}…` : text;
  return `    ${paint("yellow", label.padEnd(9))} ${cut}`;
}
