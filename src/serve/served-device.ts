import type { CommonFeatureName, VirtioDevice } from "../runtime/index.js";

/** A device that stands ready for a transport, with what it holds open on the host. */
export interface ServedDevice {
  readonly device: VirtioDevice;
  /** What it has done, for a status line: requests, packets, events. */
  readonly served: number;
  /** What `served` counts, in the plural. */
  readonly unit: string;
  /** Lets go of files and sockets. The device must not be served any more. */
  close(): Promise<void>;
}

/** What all of them can be told. */
export interface ServedDeviceOptions {
  /** Told of what the guest does wrong, and of what fails on the host. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** Common features to offer besides those that are always offered, such as RING_PACKED. */
  readonly features?: readonly CommonFeatureName[];
}

/** Something on the host that cannot be served: a file that is not there, a socket that nobody listens on. */
export class ServeError extends Error {
  override readonly name = "ServeError";
}

/** What went wrong with a file, in words that name it. */
export function fileProblem(path: string, error: unknown): ServeError {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return new ServeError(`${path}: ${FILE_PROBLEMS[code] ?? code}`, { cause: error });
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "it is not a directory",
  ECONNREFUSED: "nobody listens there",
  EADDRINUSE: "it is in use",
  EROFS: "the file system is read-only",
};
