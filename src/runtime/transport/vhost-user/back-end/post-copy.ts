import { UserFaults, SystemCallError, type SystemCalls } from "../../posix/index.js";
import { decodePayload, VhostUserError, type FrontEndRequest, type Message } from "../protocol/index.js";
import { u64, type Reply } from "./reply.js";
import type { MappedRegion, SharedRegions } from "./shared-regions.js";

const tableHeaderBytes = 8;
const regionBytes = 32;
/** Of the address in the front end's (or, in the reply, our) address space. */
const userAddressOffset = 16;

/** Requests that change the memory table, or (NONE) that QEMU acknowledges with when there was nothing to change. */
const ofMemory: readonly FrontEndRequest[] = ["SET_MEM_TABLE", "ADD_MEM_REG", "REM_MEM_REG", "NONE"];

/**
 * A guest that arrives by post-copy migration: it runs while memory of it is still to come. What the device touches too early
 * the front end is told through a userfaultfd, and the thread sleeps until the page is there.
 *
 * The front end advises of it (ADVISE: it gets the descriptor), says that it begins (LISTEN), and sets the memory. Each change
 * is answered with the addresses here, by which it will know the faults, and is in use when it has acknowledged that. Then our
 * own descriptor is closed: the front end's is the only one, and when it dies, the system wakes the thread that sleeps.
 */
export class PostCopy {
  readonly #system: SystemCalls;
  readonly #regions: SharedRegions;
  #faults: UserFaults | undefined;
  #isListening = false;
  /** It is over: memory is as it always was. */
  #hasEnded = false;

  constructor(system: SystemCalls, regions: SharedRegions) {
    this.#system = system;
    this.#regions = regions;
    this.#faults = undefined;
  }

  /** Requests go through {@link handle} first. */
  get isOn(): boolean {
    return this.#faults !== undefined || this.#isListening || this.#hasEnded;
  }

  /** The front end has done its part of a change of memory: no request of its own, but a word after our reply. */
  isAcknowledgement({ name, payload, fds }: Message<FrontEndRequest>): boolean {
    if (!this.#isListening || fds.length > 0 || !ofMemory.includes(name)) return false;
    // A number, 0 if all is well. The protocol's text has it empty, for a table.
    return payload.length === 8 || (name === "SET_MEM_TABLE" && payload.length === 0);
  }

  /** The descriptor for the front end. More than once for a device that it takes for several, such as a card of many queues. */
  advise(): Reply {
    if (this.#isListening) throw new VhostUserError("postcopy-order", "POSTCOPY_ADVISE after POSTCOPY_LISTEN");
    try {
      this.#faults ??= new UserFaults(this.#system);
      return { payload: new Uint8Array(0), fds: [this.#faults.duplicate()] };
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("refused", error.message, { cause: error });
    }
  }

  /** Undefined: the request is one that is served as always. Descriptors stay the caller's. */
  handle(message: Message<FrontEndRequest>, fds: readonly number[]): Reply | "done" | "memory-changed" | undefined {
    const { name } = message;
    if (this.isAcknowledgement(message)) return this.#acknowledged(message);
    if (this.#regions.isChanging && name !== "ADD_MEM_REG" && name !== "REM_MEM_REG") {
      throw new VhostUserError("postcopy-order", `${name} before the acknowledgement of new memory`);
    }
    switch (name) {
      case "POSTCOPY_LISTEN":
        return this.#listen(message);
      case "POSTCOPY_END":
        return this.#end();
      case "SET_MEM_TABLE":
        if (!this.#isListening) return undefined;
        return answer(message, tableHeaderBytes, this.#regions.setTable(decodePayload("memoryTable", message), fds));
      case "ADD_MEM_REG":
        if (!this.#isListening) return undefined;
        return answer(message, tableHeaderBytes, [
          this.#regions.add(decodePayload("memoryRegion", message), fds[0] ?? -1),
        ]);
      default:
        return undefined;
    }
  }

  /** The front end is gone. */
  close(): void {
    this.#faults?.close();
    this.#faults = undefined;
    this.#isListening = false;
    this.#hasEnded = false;
    this.#regions.postpone(undefined);
  }

  #listen({ name, needReply }: Message<FrontEndRequest>): Reply | "done" {
    if (!this.#isListening) {
      if (this.#faults === undefined) throw new VhostUserError("postcopy-order", `${name} before POSTCOPY_ADVISE`);
      // Of what was touched before, pages that are still to come may be there as zeroes.
      if (this.#regions.count > 0) throw new VhostUserError("postcopy-order", `${name} after memory was set`);
      this.#isListening = true;
      this.#hasEnded = false;
      this.#regions.postpone((mapping) => {
        if (this.#faults === undefined) throw new VhostUserError("postcopy-memory", "a mapping more");
        this.#faults.register(mapping);
      });
    }
    // QEMU waits for it, whether acknowledgements were negotiated or not.
    return needReply ? u64(0n) : "done";
  }

  #acknowledged(message: Message<FrontEndRequest>): "done" | "memory-changed" {
    const { name, payload } = message;
    const status = payload.length === 0 ? 0n : decodePayload("u64", message);
    if (status !== 0n) throw new VhostUserError("refused", `${name}: ${String(status)}`);
    if (!this.#regions.isChanging) {
      if (name === "NONE" || name === "REM_MEM_REG") return "done";
      throw new VhostUserError("postcopy-order", `${name}: an acknowledgement of nothing`);
    }
    this.#faults?.close();
    this.#faults = undefined;
    this.#regions.commit();
    return "memory-changed";
  }

  /** All memory has come. The front end closes the last descriptor, and with it goes what was registered. */
  #end(): Reply {
    if (!this.#isListening && !this.#hasEnded) throw new VhostUserError("postcopy-order", "POSTCOPY_END");
    this.close();
    this.#hasEnded = true;
    return u64(0n);
  }
}

/** The request again, with the addresses here. */
function answer({ payload }: Message<FrontEndRequest>, header: number, regions: readonly MappedRegion[]): Reply {
  const bytes = payload.slice();
  const view = new DataView(bytes.buffer);
  regions.forEach(({ mapping }, index) => {
    view.setBigUint64(header + index * regionBytes + userAddressOffset, mapping.address, true);
  });
  return { payload: bytes };
}
