import { getSystemErrorName } from "node:util";

/** The system refused a call. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  /** Name of the call, such as `mmap`. */
  readonly call: string;
  readonly errno: number;
  /** Name of the error, such as `ENOMEM`. */
  readonly code: string;

  constructor(call: string, errno: number, detail?: string) {
    const code = errno > 0 ? getSystemErrorName(-errno) : "UNKNOWN";
    super(`${call}: ${code}${detail === undefined ? "" : ` (${detail})`}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** Why system calls cannot be made here. */
export type PosixUnavailableReason = "not-linux" | "koffi-missing";

const texts: Record<PosixUnavailableReason, string> = {
  "not-linux": "this needs Linux: it shares memory and file descriptors with another process",
  "koffi-missing": "this needs the package koffi, an optional dependency that is not installed here: npm install koffi",
};

/** There are no system calls here. */
export class PosixUnavailableError extends Error {
  override readonly name = "PosixUnavailableError";
  readonly reason: PosixUnavailableReason;

  constructor(reason: PosixUnavailableReason) {
    super(texts[reason]);
    this.reason = reason;
  }
}
