/** Version of the messages; both ends must have the same. */
export const protocolVersion = 1;

/** What the driver asks of the device's registers. Answered in turn, by number. */
export type RegisterRequest =
  | readonly ["hello", version: number]
  | readonly ["get-status"]
  | readonly ["set-status", status: number]
  | readonly ["get-features"]
  | readonly ["set-features", word0: number, word1: number, word2: number, word3: number]
  | readonly ["read-config", offset: number, length: number]
  | readonly ["write-config", offset: number, bytes: Uint8Array]
  | readonly ["config-generation"]
  | readonly ["queue-max-size", queue: number]
  | readonly ["enable-queue", queue: number, size: number, descriptor: number, driver: number, device: number]
  | readonly ["reset-queue", queue: number]
  | readonly ["queue-enabled", queue: number]
  | readonly ["queue-resetting", queue: number];

/** What a message is made of. */
export type Value = number | boolean | string | Uint8Array | readonly number[];

/** From the driver: a number that the answer repeats, and the request. */
export interface RequestMessage {
  readonly id: number;
  readonly request: readonly Value[];
}
/** From the device. */
export interface AnswerMessage {
  readonly id: number;
  readonly value: Value;
}
/** From either side, as its last message. */
export interface CloseMessage {
  readonly close: string;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
function isValue(value: unknown): value is Value {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return true;
  if (value instanceof Uint8Array) return true;
  return Array.isArray(value) && value.every((element) => typeof element === "number");
}
export function isClose(message: unknown): message is CloseMessage {
  return isObject(message) && "close" in message && typeof message.close === "string";
}
export function isRequest(message: unknown): message is RequestMessage {
  if (!isObject(message) || !("id" in message) || !("request" in message)) return false;
  const { id, request } = message;
  return typeof id === "number" && Array.isArray(request) && request.every(isValue);
}
export function isAnswer(message: unknown): message is AnswerMessage {
  if (!isObject(message) || !("id" in message) || !("value" in message)) return false;
  return typeof message.id === "number" && isValue(message.value);
}
/** What came with an event of a port. */
export function dataOf(event: object): unknown {
  return "data" in event ? event.data : undefined;
}
