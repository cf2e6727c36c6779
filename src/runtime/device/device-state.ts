import type { InFlightChain, QueueAddresses, QueuePosition, SavedSegment } from "../ring/index.js";

/** Version of {@link DeviceState} that this runtime writes, and the only one that it reads. */
export const DEVICE_STATE_VERSION = 1;

/** One queue of a saved device. */
export interface SavedQueue {
  readonly name: string;
  readonly index: number;
  /** Size and addresses, if the queue was configured. */
  readonly addresses: QueueAddresses | null;
  /** Where the queue was, if it was enabled. */
  readonly position: QueuePosition | null;
  /** What the device had taken and not used, oldest first. */
  readonly inFlight: readonly InFlightChain[];
}

/** A device in operation as plain data: fit for JSON and for structured cloning. Guest memory is not part of it. */
export interface DeviceState {
  readonly version: typeof DEVICE_STATE_VERSION;
  readonly deviceId: number;
  readonly status: number;
  /** Bit numbers: what the device offered, and what the driver accepted. */
  readonly offered: readonly number[];
  readonly driverFeatures: readonly number[];
  /** The configuration space, a byte a number. */
  readonly config: readonly number[];
  readonly queues: readonly SavedQueue[];
}

/** Why a state cannot be saved or restored. Slugs are stable. */
export type DeviceStateRule =
  | "malformed"
  | "version"
  | "device-id"
  | "features"
  | "config-size"
  | "queues"
  | "memory"
  | "transport"
  | "not-attached"
  | "not-reset"
  | "busy";

/** A state does not fit the device, or is none; the device is unchanged. */
export class DeviceStateError extends Error {
  override readonly name = "DeviceStateError";
  readonly rule: DeviceStateRule;

  constructor(rule: DeviceStateRule, message: string, options?: ErrorOptions) {
    super(`${rule}: ${message}`, options);
    this.rule = rule;
  }
}

/** What an object from outside may hold. */
export type Fields = Readonly<Record<string, unknown>>;

/** Checks the shape of a state that comes from outside. Throws a DeviceStateError. */
export function parseDeviceState(value: unknown): DeviceState {
  const state = object(value, "state");
  if (state["version"] !== DEVICE_STATE_VERSION) {
    const text = `version ${String(state["version"])}, this runtime knows ${String(DEVICE_STATE_VERSION)}`;
    throw new DeviceStateError("version", text);
  }
  return {
    version: DEVICE_STATE_VERSION,
    deviceId: integer(state["deviceId"], "deviceId", 0xffff_ffff),
    status: integer(state["status"], "status", 255),
    offered: integers(state["offered"], "offered", 127),
    driverFeatures: integers(state["driverFeatures"], "driverFeatures", 127),
    config: integers(state["config"], "config", 255),
    queues: list(state["queues"], "queues").map((queue, i) => parseQueue(queue, `queues[${String(i)}]`)),
  };
}

function parseQueue(value: unknown, where: string): SavedQueue {
  const queue = object(value, where);
  const { name, addresses, position } = queue;
  if (typeof name !== "string") throw malformed(`${where}.name`);
  return {
    name,
    index: integer(queue["index"], `${where}.index`, 65535),
    addresses: addresses === null ? null : parseAddresses(addresses, `${where}.addresses`),
    position: position === null ? null : parsePosition(position, `${where}.position`),
    inFlight: list(queue["inFlight"], `${where}.inFlight`).map((chain) => parseChain(chain, `${where}.inFlight`)),
  };
}

function parseAddresses(value: unknown, where: string): QueueAddresses {
  const fields = object(value, where);
  const part = (name: string, most = Number.MAX_SAFE_INTEGER): number =>
    integer(fields[name], `${where}.${name}`, most);
  return { size: part("size", 32768), descriptor: part("descriptor"), driver: part("driver"), device: part("device") };
}

function parsePosition(value: unknown, where: string): QueuePosition {
  const fields = object(value, where);
  const at = (name: string): number => integer(fields[name], `${where}.${name}`, 65535);
  const wrap = (name: string): 0 | 1 => (integer(fields[name], `${where}.${name}`, 1) === 0 ? 0 : 1);
  return {
    available: at("available"),
    used: at("used"),
    availableWrap: wrap("availableWrap"),
    usedWrap: wrap("usedWrap"),
  };
}

function parseChain(value: unknown, where: string): InFlightChain {
  const fields = object(value, where);
  const id = integer(fields["id"], `${where}.id`, 65535);
  const entries = integer(fields["entries"], `${where}.entries`, 32768);
  if (fields["segments"] === undefined) return { id, entries };
  return { id, entries, segments: list(fields["segments"], where).map((segment) => parseSegment(segment, where)) };
}

function parseSegment(value: unknown, where: string): SavedSegment {
  const { address, length, writable } = object(value, where);
  if (typeof writable !== "boolean") throw malformed(`${where}.segments.writable`);
  return {
    address: integer(address, `${where}.segments.address`, Number.MAX_SAFE_INTEGER),
    length: integer(length, `${where}.segments.length`, 2 ** 32),
    writable,
  };
}

/** An object, or a DeviceStateError `malformed`; so with the others. */
export function object(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(where);
  return { ...value };
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > 65536) throw malformed(where);
  return Array.from<unknown>(value);
}

export function integers(value: unknown, where: string, most: number): number[] {
  return list(value, where).map((item) => integer(item, where, most));
}

/** A whole number from 0 to `most`. */
export function integer(value: unknown, where: string, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) throw malformed(where);
  return value;
}

function malformed(where: string): DeviceStateError {
  return new DeviceStateError("malformed", `${where} is not what it should be`);
}
