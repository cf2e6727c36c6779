/** One descriptor of a chain, as the device sees it. */
export interface TracedDescriptor {
  readonly address: number;
  readonly length: number;
  readonly direction: "readable" | "writable";
}

/** Something that went over the transport; for logs, tests and demonstrations. */
export type TraceEvent =
  /** The driver wrote the device status, and this is what the device made of it. */
  | { readonly kind: "status"; readonly written: number; readonly status: number }
  /** The driver wrote its features; bit numbers. */
  | { readonly kind: "features"; readonly bits: readonly number[] }
  | { readonly kind: "config-write"; readonly offset: number; readonly length: number }
  /** The device notified the driver of a configuration change. */
  | { readonly kind: "config-change"; readonly generation: number }
  /** The driver notified the device of available buffers. */
  | { readonly kind: "driver-notify"; readonly queue: number }
  /** The device notified the driver of used buffers. */
  | { readonly kind: "interrupt"; readonly queue: number }
  /** The driver reset a queue, and when that was complete. */
  | { readonly kind: "queue-reset"; readonly queue: number; readonly state: "started" | "complete" }
  /** The device took a chain. */
  | {
      readonly kind: "chain";
      readonly queue: number;
      readonly slot: number;
      readonly descriptors: readonly TracedDescriptor[];
    }
  /** What a request queue made of the chain just taken: its decoded fields. */
  | { readonly kind: "request"; readonly queue: number; readonly slot: number; readonly request: object }
  /** What a request queue answered, where the request can decode its own reply. */
  | { readonly kind: "reply"; readonly queue: number; readonly slot: number; readonly reply: object }
  /** The device completed a chain; `written` in bytes. */
  | {
      readonly kind: "completion";
      readonly queue: number;
      readonly slot: number;
      readonly written: number;
      readonly outcome: "completed" | "stale";
    };

/** Receives events as they happen. Must not call back into the device or the driver. What it throws is reported, see {@link safeTrace}. */
export type Trace = (event: TraceEvent) => void;

/**
 * A trace that never throws: events are told in the middle of things that must not stay half done. What it throws, or rejects
 * with, goes to `failed`. Undefined if there is none, so that this costs nothing then.
 */
export function safeTrace(trace: Trace | undefined, failed: (error: unknown) => void): Trace | undefined {
  if (trace === undefined) return undefined;
  // A function that is asynchronous fits, too.
  const tell: (event: TraceEvent) => unknown = trace;
  return (event) => {
    try {
      const result = tell(event);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
