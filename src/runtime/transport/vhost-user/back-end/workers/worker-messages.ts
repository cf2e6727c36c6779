import type { MessagePort } from "node:worker_threads";
import { VhostUserError, type VhostUserRule, type VringAddress } from "../../protocol/index.js";
import type { ConfigWrite } from "../config-requests.js";
import type { InflightForm } from "../inflight-region.js";
import type { MemoryRange } from "../shared-regions.js";

/** Version of the messages: main thread and Worker have loaded the same package. */
export const workerProtocol = 1;

/** Memory of this process that the main thread lends to a Worker. */
export interface LentBytes {
  /** Names it when the Worker has no view of it any more. */
  readonly loan: number;
  readonly pointer: bigint;
  readonly length: number;
}

/** A region of guest memory, in pieces that have a view each. */
export interface LentRegion {
  readonly guestAddress: number;
  readonly userAddress: number;
  readonly size: number;
  readonly pieces: readonly { readonly start: number; readonly bytes: LentBytes }[];
}

/** A ring that is to run. File descriptors stay the main thread's. */
export interface RingSetting {
  readonly index: number;
  readonly size: number;
  readonly address: VringAddress;
  readonly base: number;
  readonly isPacked: boolean;
  /** Undefined: the ring is polled, or kicked by `kick-ring`. */
  readonly kick: number | undefined;
  readonly isPolled: boolean;
  /** Undefined: the front end polls. */
  readonly call: number | undefined;
  readonly inflight: { readonly bytes: LentBytes; readonly form: InflightForm } | undefined;
}

/** What the main thread asks of a Worker. Each is answered; what is lent is let go of before the answer. */
export type WorkerRequest =
  | { readonly do: "set-memory"; readonly regions: readonly LentRegion[] }
  | {
      readonly do: "set-log";
      readonly isOn: boolean;
      readonly bytes: LentBytes | undefined;
      readonly event: number | undefined;
    }
  | {
      readonly do: "begin";
      readonly features: readonly number[];
      readonly config: Uint8Array;
      /** What the driver has written, for the device to see; the bytes are in `config` already. */
      readonly writes: readonly ConfigWrite[];
    }
  | { readonly do: "mirror-config"; readonly config: Uint8Array }
  | { readonly do: "write-config"; readonly write: ConfigWrite }
  | { readonly do: "start-ring"; readonly ring: RingSetting }
  | { readonly do: "set-address"; readonly address: VringAddress }
  | {
      readonly do: "set-event";
      readonly index: number;
      readonly what: "kick" | "call";
      readonly fd: number | undefined;
    }
  /** A kick that came as a message. */
  | { readonly do: "kick-ring"; readonly index: number }
  /** Answered with the base. */
  | { readonly do: "pause-ring"; readonly index: number }
  /** After that: the driver takes the memory of the ring back when this is answered. */
  | { readonly do: "let-go"; readonly index: number }
  /** As pause-ring, if the ring or a request in flight has part of this memory, which goes away; otherwise with undefined. */
  | { readonly do: "leave-memory"; readonly index: number; readonly memory: readonly MemoryRange[] }
  | { readonly do: "reset" }
  /** The front end is gone: everything is let go of. */
  | { readonly do: "release" }
  /** The same, and the Worker is not needed any more. */
  | { readonly do: "end" };

export interface SentRequest {
  readonly id: number;
  readonly request: WorkerRequest;
}

/** An error of the protocol as data. */
export interface SentError {
  readonly rule: VhostUserRule;
  readonly detail: string;
}

/** From a Worker. */
export type WorkerMessage =
  | { readonly kind: "ready"; readonly deviceId: number; readonly offered: readonly number[] }
  | { readonly kind: "answer"; readonly id: number; readonly value: number | undefined }
  | { readonly kind: "failure"; readonly id: number; readonly error: SentError }
  | { readonly kind: "collected"; readonly loan: number }
  | { readonly kind: "needs-reset" }
  | { readonly kind: "report"; readonly error: SentError };

/** What a Worker says first, to whoever started it: it waits for a {@link Welcome}. */
export interface Hello {
  readonly virtioQueues: number;
}
/** The answer: how it is spoken with from now on, and how its device is to be attached. */
export interface Welcome {
  readonly virtioQueues: number;
  readonly port: MessagePort;
  readonly stopTimeout: number;
  readonly unsupported: readonly number[];
}

/** Other messages of the program may go the same way. */
export function isHello(message: unknown): message is Hello {
  return typeof message === "object" && message !== null && "virtioQueues" in message && !("port" in message);
}
export function isWelcome(message: unknown): message is Welcome {
  return typeof message === "object" && message !== null && "virtioQueues" in message && "port" in message;
}

export function sentError(error: unknown): SentError {
  if (error instanceof VhostUserError) return { rule: error.rule, detail: error.detail };
  return { rule: "refused", detail: error instanceof Error ? error.message : String(error) };
}
export function receivedError({ rule, detail }: SentError): VhostUserError {
  return new VhostUserError(rule, detail);
}
