import { closeSync, constants, openSync } from "node:fs";
import type { SharedMapping } from "./shared-memory.js";
import type { SystemCalls } from "./system-calls.js";
import { SystemCallError } from "./system-error.js";

const O_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const USERFAULTFD_IOC_NEW = 0xaa00;
const UFFDIO_API = 0xc018_aa3f;
const UFFD_API = 0xaan;
const UFFD_FEATURE_MISSING_SHMEM = 1n << 5n;
const UFFDIO_REGISTER = 0xc020_aa00;
const UFFDIO_REGISTER_MODE_MISSING = 1n;
const MADV_NOHUGEPAGE = 15;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** userfaultfd(2) */
const callNumbers: Partial<Record<NodeJS.Architecture, number>> = { x64: 323, arm64: 282 };

/**
 * A userfaultfd: whoever has its descriptor is told of pages that this process touches and that are not in their file yet,
 * and the thread that touches one sleeps until it is woken through the descriptor. That goes for system calls, too. When the last
 * descriptor is closed all are woken, and what is missing is zeroes, as it would have been.
 */
export class UserFaults {
  readonly #system: SystemCalls;
  #fd: number;

  /** @throws SystemCallError where the system has none (`ENOSYS`, `EOPNOTSUPP`) or does not give one to us (`EPERM`). */
  constructor(system: SystemCalls) {
    this.#system = system;
    this.#fd = open(system);
    try {
      const features = this.#ioctl(UFFDIO_API, "UFFDIO_API", [UFFD_API, 0n, 0n])[1] ?? 0n;
      if ((features & UFFD_FEATURE_MISSING_SHMEM) === 0n) throw new SystemCallError("UFFDIO_API", EOPNOTSUPP);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** -1 when closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * From now on a touch of a page of this mapping that its file does not have is such a fault.
   * @throws SystemCallError when the file is not one of memory (`EINVAL`).
   */
  register({ pages: { pointer, length } }: SharedMapping): void {
    // A huge page would have everything at once, also what is still to come. Not every system has them.
    this.#system.madvise(pointer, length, MADV_NOHUGEPAGE);
    this.#ioctl(UFFDIO_REGISTER, "UFFDIO_REGISTER", [pointer, BigInt(length), UFFDIO_REGISTER_MODE_MISSING, 0n]);
  }

  /** Another descriptor of it, for somebody else. */
  duplicate(): number {
    return this.#system.duplicate(this.#fd);
  }

  /** Gives our descriptor back. Faults are the matter of those who have another one. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /** A request whose argument is a structure of 64-bit numbers; returns them as they are afterwards. */
  #ioctl(request: number, name: string, words: readonly bigint[]): bigint[] {
    const block = this.#system.allocate(8 * words.length);
    try {
      words.forEach((word, index) => block.view.setBigUint64(8 * index, word, true));
      this.#system.ioctl(this.#fd, request, block.pointer, name);
      return words.map((_, index) => block.view.getBigUint64(8 * index, true));
    } finally {
      this.#system.free(block);
    }
  }
}

/** With faults of the kernel in our behalf: a descriptor for those of programs alone makes read(2) fail with EFAULT. */
function open(system: SystemCalls): number {
  const device = openDevice();
  if (device !== undefined) {
    try {
      return system.ioctl(device, USERFAULTFD_IOC_NEW, BigInt(O_CLOEXEC_NONBLOCK), "USERFAULTFD_IOC_NEW");
    } finally {
      closeSync(device);
    }
  }
  const number = callNumbers[process.arch];
  if (number === undefined) throw new SystemCallError("userfaultfd", ENOSYS);
  return system.call(number, O_CLOEXEC_NONBLOCK, "userfaultfd");
}

/** Who may open it needs no other privilege; the system call needs CAP_SYS_PTRACE or vm.unprivileged_userfaultfd. */
function openDevice(): number | undefined {
  try {
    return openSync("/dev/userfaultfd", constants.O_RDWR);
  } catch {
    return undefined;
  }
}

let found: boolean | undefined;

/** Does the system give us a userfaultfd? Tried once. */
export function canHandOverFaults(system: SystemCalls): boolean {
  found ??= tryOnce(system);
  return found;
}

function tryOnce(system: SystemCalls): boolean {
  try {
    new UserFaults(system).close();
    return true;
  } catch (error) {
    if (error instanceof SystemCallError) return false;
    throw error;
  }
}
