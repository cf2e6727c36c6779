import { InputDevice, type InputConfigAnswers, type InputEvent } from "../../generated/input.js";
import type { ServedDevice, ServedDeviceOptions } from "./served-device.js";

// Numbers of Linux's evdev (linux/input-event-codes.h).
const EV_SYN = 0;
const EV_KEY = 1;
const EV_REL = 2;
const EV_LED = 17;
const REL_X = 0;
const REL_Y = 1;
const REL_WHEEL = 8;
const LED_NUML = 0;
const LED_CAPSL = 1;
const LED_SCROLLL = 2;
const BTN_LEFT = 0x110;
const BTN_RIGHT = 0x111;
const BTN_MIDDLE = 0x112;
const LAST_KEY = 0xf8;
const BUS_VIRTUAL = 6;
/** Events kept while the driver has posted no buffers. */
const MOST_WAITING = 4096;

export interface KeyboardOptions extends ServedDeviceOptions {
  /** What the guest calls it. */
  readonly name?: string;
  /** Told of what the driver sends back, such as LEDs. */
  feedback?(event: InputEvent): void;
}

/** A keyboard with the buttons and axes of a mouse. */
export interface Keyboard extends ServedDevice {
  readonly device: InputDevice;
  /** Sends one event; `sync` ends a group of them. False: too many are waiting, and it is dropped. */
  send(type: number, code: number, value: number): boolean;
  sync(): boolean;
}

/** Bit n is set for each n of `numbers`. */
function bitmap(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array((Math.max(...numbers) >> 3) + 1);
  for (const number of numbers) bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (1 << (number & 7));
  return bytes;
}

const keys = Array.from({ length: LAST_KEY }, (_, index) => index + 1);
const events: ReadonlyMap<number, Uint8Array> = new Map([
  [EV_KEY, bitmap([...keys, BTN_LEFT, BTN_RIGHT, BTN_MIDDLE])],
  [EV_REL, bitmap([REL_X, REL_Y, REL_WHEEL])],
  [EV_LED, bitmap([LED_NUML, LED_CAPSL, LED_SCROLLL])],
]);

export function openKeyboard(options: KeyboardOptions = {}): Keyboard {
  const name = options.name ?? "virtio-gen keyboard";
  const waiting: InputEvent[] = [];
  let served = 0;

  function answer(select: string | number, subsel: number): InputConfigAnswers | undefined {
    switch (select) {
      case "ID_NAME":
        return { size: new TextEncoder().encode(name).length, u: { kind: "ID_NAME", string: name } };
      case "ID_DEVIDS":
        return {
          size: 8,
          u: { kind: "ID_DEVIDS", ids: { bustype: BUS_VIRTUAL, vendor: 0x1af4, product: 1, version: 1 } },
        };
      case "EV_BITS": {
        const found = events.get(subsel);
        return found === undefined ? undefined : { size: found.length, u: { kind: "EV_BITS", bitmap: found } };
      }
      default:
        return undefined;
    }
  }

  const device = new InputDevice({
    ...(options.features && { features: options.features }),
    configWindow: ({ select, subsel }) => answer(select, subsel),
    statusq(buffer) {
      const { type, code, value } = buffer;
      options.feedback?.({ type, code, value });
      return buffer.complete();
    },
  });
  device.onProtocolError = options.onError;
  device.eventq.onAvailable = drain;

  /** Sends what waits, as far as there are buffers. */
  function drain(): void {
    let sent = 0;
    while (sent < waiting.length) {
      const event = waiting[sent];
      if (event === undefined || !device.eventq.send(event)) break;
      sent++;
    }
    served += sent;
    waiting.splice(0, sent);
  }

  function send(type: number, code: number, value: number): boolean {
    if (waiting.length >= MOST_WAITING) return false;
    waiting.push({ type, code, value: value >>> 0 });
    drain();
    return true;
  }

  return {
    device,
    unit: "events",
    get served() {
      return served;
    },
    send,
    sync: () => send(EV_SYN, 0, 0),
    close() {
      waiting.length = 0;
      return Promise.resolve();
    },
  };
}

/**
 * One line of text as an event: three numbers (type, code, value), or `sync`. Undefined for an empty line or a comment (#).
 * @throws RangeError for anything else.
 */
export function parseEventLine(line: string): readonly [type: number, code: number, value: number] | undefined {
  const text = line.replace(/#.*/, "").trim();
  if (text === "") return undefined;
  if (text === "sync") return [EV_SYN, 0, 0];
  const numbers = text.split(/\s+/).map(Number);
  const [type, code, value] = numbers;
  const isWord = (number: number | undefined): number is number =>
    number !== undefined && Number.isInteger(number) && number >= 0 && number <= 0xffff;
  if (numbers.length !== 3 || !isWord(type) || !isWord(code) || value === undefined || !Number.isInteger(value)) {
    throw new RangeError(`"${line}" is not an event: write its type, code and value as numbers, or sync`);
  }
  return [type, code, value];
}
