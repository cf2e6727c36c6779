import { type ForeignLibrary, loadKoffi } from "./koffi.js";
import { PosixUnavailableError, SystemCallError } from "./system-error.js";

/** An address of this process. */
export type Pointer = bigint;

/** Bytes outside of JavaScript's heap that the system may read and write, at an address that stays. */
export interface NativeBlock {
  readonly pointer: Pointer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;
const F_ADD_SEALS = 1033;
/** No more seals, and the file neither shrinks nor grows. */
const F_SEAL_SEAL_SHRINK_GROW = 1 | 2 | 4;
const MAP_FAILED = 2n ** 64n - 1n;

/**
 * The calls of the C library that the transports need, as they are; what wraps them is beside this file. A call that
 * fails throws a SystemCallError, except where it says otherwise. Nothing here blocks: all sockets are non-blocking.
 */
export class SystemCalls {
  readonly koffi: ForeignLibrary;
  readonly #socket;
  readonly #bind;
  readonly #listen;
  readonly #accept;
  readonly #connect;
  readonly #sendmsg;
  readonly #recvmsg;
  readonly #close;
  readonly #read;
  readonly #write;
  readonly #mmap;
  readonly #munmap;
  readonly #eventfd;
  readonly #poll;
  readonly #memfd;
  readonly #truncate;
  readonly #socketpair;
  readonly #fcntl;
  readonly #ioctl;
  readonly #syscall;
  readonly #madvise;

  constructor(koffi: ForeignLibrary) {
    const c = koffi.load("libc.so.6");
    this.koffi = koffi;
    this.#socket = c.func("int socket(int domain, int type, int protocol)");
    this.#bind = c.func("int bind(int fd, const void *address, unsigned int length)");
    this.#listen = c.func("int listen(int fd, int backlog)");
    this.#accept = c.func("int accept4(int fd, void *address, void *length, int flags)");
    this.#connect = c.func("int connect(int fd, const void *address, unsigned int length)");
    this.#sendmsg = c.func("int64 sendmsg(int fd, const void *message, int flags)");
    this.#recvmsg = c.func("int64 recvmsg(int fd, void *message, int flags)");
    this.#close = c.func("int close(int fd)");
    this.#read = c.func("int64 read(int fd, void *bytes, size_t length)");
    this.#write = c.func("int64 write(int fd, const void *bytes, size_t length)");
    this.#mmap = c.func("void *mmap(void *at, size_t length, int protection, int flags, int fd, int64 offset)");
    this.#munmap = c.func("int munmap(void *at, size_t length)");
    this.#eventfd = c.func("int eventfd(unsigned int value, int flags)");
    this.#poll = c.func("int poll(void *entries, unsigned long count, int timeout)");
    this.#memfd = c.func("int memfd_create(const char *name, unsigned int flags)");
    this.#truncate = c.func("int ftruncate(int fd, int64 length)");
    this.#fcntl = c.func("int fcntl(int fd, int command, int argument)");
    this.#socketpair = c.func("int socketpair(int domain, int type, int protocol, void *pair)");
    this.#ioctl = c.func("int ioctl(int fd, unsigned long request, void *argument)");
    this.#syscall = c.func("long syscall(long number, long argument)");
    this.#madvise = c.func("int madvise(void *at, size_t length, int advice)");
  }

  /** The open file of a descriptor does not block any more, for nobody who has it. */
  setNonBlocking(fd: number): void {
    const flags = this.#checked("fcntl", this.#fcntl(fd, F_GETFL, 0));
    if ((flags & O_NONBLOCK) === 0) this.#checked("fcntl", this.#fcntl(fd, F_SETFL, flags | O_NONBLOCK));
  }

  /** Memory for the system to use; given back with {@link free}. */
  allocate(bytes: number): NativeBlock {
    const pointer: unknown = this.koffi.alloc("uint8_t", bytes);
    if (typeof pointer !== "bigint") throw new SystemCallError("malloc", 12);
    const view = this.view(pointer, bytes);
    view.fill(0);
    return { pointer, bytes: view, view: new DataView(view.buffer) };
  }
  /** Its bytes must not be used any more. */
  free(block: NativeBlock): void {
    this.koffi.free(block.pointer);
  }
  /** Bytes of this process, as they are in memory. Who unmaps them sees to it that nobody uses the view any more. */
  view(pointer: Pointer, length: number): Uint8Array {
    return new Uint8Array(this.koffi.view(pointer, length));
  }

  socket(domain: number, type: number): number {
    return this.#checked("socket", this.#socket(domain, type, 0));
  }
  /** Two descriptors, as 32-bit numbers, into `pair`. */
  socketpair(domain: number, type: number, pair: Pointer): void {
    this.#checked("socketpair", this.#socketpair(domain, type, 0, pair));
  }
  bind(fd: number, address: Uint8Array, path: string): void {
    this.#checked("bind", this.#bind(fd, address, address.length), path);
  }
  listen(fd: number, backlog: number): void {
    this.#checked("listen", this.#listen(fd, backlog));
  }
  accept(fd: number, flags: number): number | undefined {
    return this.#unlessAgain("accept", this.#accept(fd, null, null, flags));
  }
  connect(fd: number, address: Uint8Array, path: string): void {
    this.#checked("connect", this.#connect(fd, address, address.length), path);
  }
  /** Bytes sent; undefined if none can be sent now. */
  sendmsg(fd: number, message: Pointer, flags: number): number | undefined {
    return this.#unlessAgain("sendmsg", this.#sendmsg(fd, message, flags));
  }
  /** Bytes received, 0 at the end; undefined if there are none now. */
  recvmsg(fd: number, message: Pointer, flags: number): number | undefined {
    return this.#unlessAgain("recvmsg", this.#recvmsg(fd, message, flags));
  }
  close(fd: number): void {
    this.#close(fd);
  }
  read(fd: number, bytes: Pointer, length: number): number | undefined {
    return this.#unlessAgain("read", this.#read(fd, bytes, length));
  }
  write(fd: number, bytes: Pointer, length: number): number | undefined {
    return this.#unlessAgain("write", this.#write(fd, bytes, length));
  }
  mmap(at: Pointer | null, length: number, protection: number, flags: number, fd: number, offset: number): Pointer {
    const pointer: unknown = this.#mmap(at, length, protection, flags, fd, offset);
    if (typeof pointer === "bigint" && pointer !== MAP_FAILED) return pointer;
    throw new SystemCallError("mmap", this.koffi.errno(), `${length} bytes at offset ${offset}`);
  }
  munmap(at: Pointer, length: number): void {
    this.#checked("munmap", this.#munmap(at, length));
  }
  eventfd(flags: number): number {
    return this.#checked("eventfd", this.#eventfd(0, flags));
  }
  /** Entries that are ready. */
  poll(entries: Pointer, count: number, milliseconds: number): number {
    return this.#unlessAgain("poll", this.#poll(entries, count, milliseconds)) ?? 0;
  }
  /** The same in a thread of its own; done in a later turn of the event loop. */
  pollAsync(entries: Pointer, count: number, milliseconds: number, done: () => void): void {
    this.#poll.async(entries, count, milliseconds, done);
  }
  memfd(name: string, flags: number): number {
    return this.#checked("memfd_create", this.#memfd(name, flags));
  }
  truncate(fd: number, length: number): void {
    this.#checked("ftruncate", this.#truncate(fd, length), `${length} bytes`);
  }
  /** A file of memory keeps its length from now on, whoever has it. */
  sealLength(fd: number): void {
    this.#checked("fcntl", this.#fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL_SHRINK_GROW));
  }
  /** Another descriptor of the same open file; closed when a program is started. */
  duplicate(fd: number): number {
    return this.#checked("fcntl", this.#fcntl(fd, F_DUPFD_CLOEXEC, 0));
  }
  /** The argument is an address, or a number where the request wants one. */
  ioctl(fd: number, request: number, argument: Pointer, what: string): number {
    return this.#checked(what, this.#ioctl(fd, request, argument));
  }
  /** A call that the C library has no function for, by its number on this processor. */
  call(number: number, argument: number, what: string): number {
    return this.#checked(what, this.#syscall(number, argument));
  }
  /** False where the system does not take the advice. */
  madvise(at: Pointer, length: number, advice: number): boolean {
    return this.#madvise(at, length, advice) === 0;
  }

  #checked(call: string, result: unknown, detail?: string): number {
    if (typeof result === "number" && result >= 0) return result;
    throw new SystemCallError(call, this.koffi.errno(), detail);
  }

  #unlessAgain(call: string, result: unknown): number | undefined {
    if (typeof result === "number" && result >= 0) return result;
    const errno = this.koffi.errno();
    const { EAGAIN, EINTR } = this.koffi.os.errno;
    if (errno === EAGAIN || errno === EINTR) return undefined;
    throw new SystemCallError(call, errno);
  }
}

let loading: Promise<SystemCalls> | undefined;

/**
 * The system calls of Linux.
 * @throws PosixUnavailableError elsewhere, or where koffi is not installed.
 */
export function loadSystemCalls(): Promise<SystemCalls> {
  loading ??= load();
  return loading;
}

async function load(): Promise<SystemCalls> {
  if (process.platform !== "linux") throw new PosixUnavailableError("not-linux");
  const koffi = await loadKoffi();
  if (koffi === undefined) throw new PosixUnavailableError("koffi-missing");
  return new SystemCalls(koffi);
}
