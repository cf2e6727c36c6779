import { DeviceStateError, integer, list, object, type DeviceState, type Fields } from "../../device/device-state.js";
import type { QueueRegisters } from "./queue-registers.js";

/** Version of the transports' states that this runtime writes, and the only one that it reads. */
export const TRANSPORT_STATE_VERSION = 1;

/** What the states of all transports with registers have: the device, and the registers in front of it. */
export interface RegisterState {
  readonly version: typeof TRANSPORT_STATE_VERSION;
  readonly device: DeviceState;
  /** The configuration generation, 32 bits. */
  readonly generation: number;
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly queues: ReturnType<QueueRegisters["save"]>;
}

/** Largest values that registers of a transport have. */
export interface RegisterWidths {
  readonly select: number;
  readonly queueSize: number;
  /** Besides the one that stands for none. */
  readonly vectors: number;
  readonly noVector: number;
}

/**
 * Checks what all transports have; `device` is left to the device. Throws a DeviceStateError `malformed`, `version` or
 * `transport`.
 */
export function parseRegisterState(
  value: unknown,
  transport: string,
  widths: RegisterWidths,
): { readonly fields: Fields; readonly common: Omit<RegisterState, "device">; readonly device: unknown } {
  const fields = object(value, "state");
  if (fields["version"] !== TRANSPORT_STATE_VERSION) {
    const text = `version ${String(fields["version"])}, this runtime knows ${String(TRANSPORT_STATE_VERSION)}`;
    throw new DeviceStateError("version", text);
  }
  if (fields["transport"] !== transport) {
    throw new DeviceStateError("transport", `a state of ${String(fields["transport"])}, not of ${transport}`);
  }
  const queues = object(fields["queues"], "queues");
  const common = {
    version: TRANSPORT_STATE_VERSION,
    generation: word(fields, "generation"),
    deviceFeatureSelect: word(fields, "deviceFeatureSelect"),
    driverFeatureSelect: word(fields, "driverFeatureSelect"),
    queues: {
      selected: word(queues, "selected", widths.select),
      queues: list(queues["queues"], "queues").map((queue) => parseQueue(object(queue, "queues"), widths)),
    },
  } as const;
  const indexes = common.queues.queues.map(({ index }) => index);
  if (new Set(indexes).size !== indexes.length) throw new DeviceStateError("malformed", "a queue comes twice");
  return { fields, common, device: fields["device"] };
}

/** A register, or a DeviceStateError `malformed`. */
export function word(fields: Fields, name: string, most = 0xffff_ffff): number {
  return integer(fields[name], name, most);
}

/** A vector that the function has, or none. */
export function vector(fields: Fields, name: string, { vectors, noVector }: RegisterWidths): number {
  const value = word(fields, name, 0xffff);
  if (value !== noVector && value >= vectors) {
    throw new DeviceStateError("transport", `${name} ${String(value)} of ${String(vectors)}`);
  }
  return value;
}

function parseQueue(fields: Fields, widths: RegisterWidths) {
  return {
    index: word(fields, "index", 0xffff),
    size: fields["size"] === null ? null : word(fields, "size", widths.queueSize),
    descriptorLow: word(fields, "descriptorLow"),
    descriptorHigh: word(fields, "descriptorHigh"),
    driverLow: word(fields, "driverLow"),
    driverHigh: word(fields, "driverHigh"),
    deviceLow: word(fields, "deviceLow"),
    deviceHigh: word(fields, "deviceHigh"),
    vector: vector(fields, "vector", widths),
  };
}
