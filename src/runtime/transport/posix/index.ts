export { EventFd } from "./event-fd.js";
export { LoopWatcher } from "./loop-watcher.js";
export { messageEnd, PipeEnd, type MessageEnd } from "./pipe-end.js";
export { createMemoryFile, SharedMapping } from "./shared-memory.js";
export { loadSystemCalls, type Pointer, type SystemCalls } from "./system-calls.js";
export { PosixUnavailableError, SystemCallError, type PosixUnavailableReason } from "./system-error.js";
export { ThreadWatcher } from "./thread-watcher.js";
export { isSocketFile, mostDescriptors, UnixListener, UnixSocket, type Received } from "./unix-socket.js";
export { watcherOf, type Watch, type Watcher } from "./watcher.js";
