import type { GuestMemory } from "../../../memory/index.js";
import { type DeviceQueue, type QueueAddresses, type RingPart, ringParts } from "../../../ring/index.js";
import { nextTurn } from "../../next-turn.js";
import type { EventFd, Watch, Watcher } from "../../posix/index.js";
import { VhostUserError, type VringAddress } from "../protocol/index.js";
import type { InbandNotifications } from "./inband-notifications.js";
import type { WorkerBell } from "./workers/worker-bell.js";

/** How long a ring without a kick is looked at in every turn of the event loop after there was something, in ms. */
const busyPolling = 2;

/** Memory as rings are looked for in it. */
export interface RingMemory {
  /**
   * The address in `memory` of [address, address + length) in the front end's address space, or undefined.
   * @param isWrite the device writes there
   */
  guestAddress(address: number, length: number, isWrite: boolean): number | undefined;
}

/** Memory that rings are worked on in. */
export interface RunnerMemory extends RingMemory {
  readonly memory: GuestMemory;
  /** Where something is may not be known now, and become known later. */
  readonly isOn?: boolean;
  /** What is to be between a ring and all else, if anything. */
  wrap?(queue: DeviceQueue, addresses: QueueAddresses, isPacked: boolean): DeviceQueue;
}

/** What a ring does, as far as the front end knows. */
export type VringState =
  | "stopped"
  | "running"
  /** For the front end it runs, but it stands still until its memory is known again. */
  | "halted"
  /** It was disabled while it ran, and not set up anew since: enabled again, it goes on where it is. */
  | "paused";

/** What has been set up of one ring. Owns its eventfds. */
export class Vring {
  readonly index: number;
  size = 0;
  address: VringAddress | undefined;
  /** Where to start: the number of SET_VRING_BASE. */
  base = 0;
  /** Where it was stopped, as such a number, until it is started again. */
  stoppedAt: number | undefined;
  isEnabled = false;
  state: VringState = "stopped";
  isPacked = false;
  /** There is no kick: the ring is to be looked at all the time. */
  isPolled = false;
  /** A kick has come as a message since the last stop. */
  isKicked = false;
  /** The ring is looked at: with a kick, or when polled. */
  onKick: (() => void) | undefined;
  /** A Worker works on it: there its kicks arrive. */
  readonly isElsewhere: boolean;
  /** Where notifications are messages and a Worker works on it: how it calls. Closed with the stop. */
  bell: WorkerBell | undefined;
  readonly #inband: InbandNotifications | undefined;
  readonly #watcher: Watcher;
  #kick: EventFd | undefined;
  #watch: Watch | undefined;
  #call: EventFd | undefined;
  #error: EventFd | undefined;
  #polling = false;

  constructor(index: number, watcher: Watcher, isElsewhere = false, inband?: InbandNotifications) {
    this.index = index;
    this.isElsewhere = isElsewhere;
    this.bell = undefined;
    this.#inband = inband;
    this.#watcher = watcher;
    this.address = undefined;
    this.stoppedAt = undefined;
    this.onKick = undefined;
    this.#kick = undefined;
    this.#watch = undefined;
    this.#call = undefined;
    this.#error = undefined;
  }

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** The front end has said how it kicks, so the ring may start. */
  get isKickable(): boolean {
    return this.#kick !== undefined || this.isPolled || this.isKicked;
  }

  /** File descriptors, for the Worker that works on it; they stay this one's. */
  get descriptors(): { readonly kick: number | undefined; readonly call: number | undefined } {
    return { kick: this.#kick?.fd, call: this.#call?.fd ?? this.bell?.fd };
  }

  setKick(kick: EventFd | undefined): void {
    this.#forgetKick();
    this.isPolled = kick === undefined;
    if (kick === undefined) {
      this.poll();
      return;
    }
    this.#kick = kick;
    try {
      this.#watch = this.#watcher.watch(kick.fd, () => {
        if (kick.drain()) this.onKick?.();
        // It is of no use, and would be readable for ever.
        else this.#forgetKick();
      });
      // Here it is tried only: that it can be watched at all.
      if (this.isElsewhere) this.#watch.close();
    } catch (error) {
      this.#forgetKick();
      throw new VhostUserError("descriptor", `kick of ring ${this.index}: ${String(error)}`, { cause: error });
    }
  }

  /**
   * Undefined: the front end polls the used ring, or is told by messages. A ring that runs may have called in vain before: QEMU starts a ring first and
   * says how to call afterwards.
   */
  setCall(call: EventFd | undefined): void {
    this.#call?.close();
    this.#call = call;
    if (this.isRunning) this.call();
  }
  setError(error: EventFd | undefined): void {
    this.#error?.close();
    this.#error = error;
  }

  /** Tells the driver of used buffers. False: there is no way to do that. */
  call(): boolean {
    return this.#call?.signal() ?? this.#inband?.call(this.index) ?? false;
  }
  fail(): void {
    if (this.#error === undefined) this.#inband?.fail(this.index);
    else this.#error.signal();
  }

  /** Looks at the ring in turns of the event loop, all of them while there is work and one in a millisecond otherwise. */
  poll(): void {
    if (this.#polling || !this.isPolled || !this.isRunning || this.isElsewhere) return;
    this.#polling = true;
    let lastWork = performance.now();
    let seen = -1;
    const look = (): void => {
      this.#polling = this.isPolled && this.isRunning;
      if (!this.#polling) return;
      this.onKick?.();
      if (this.taken !== seen) lastWork = performance.now();
      seen = this.taken;
      if (performance.now() - lastWork < busyPolling) nextTurn(look);
      else setTimeout(look, 1);
    };
    nextTurn(look);
  }
  /** Counts buffers taken: signs of life for {@link poll}. */
  taken = 0;

  /** It was stopped: the kick is over, and so is what was enabled by it. */
  stop(): void {
    this.state = "stopped";
    this.#forgetKick();
    this.isPolled = false;
    this.isKicked = false;
    this.bell?.close();
    this.bell = undefined;
  }

  close(): void {
    this.stop();
    this.setCall(undefined);
    this.setError(undefined);
  }

  /**
   * Where the ring is in guest memory.
   * @throws VhostUserError when it is not.
   */
  addresses(regions: RingMemory, isPacked: boolean): QueueAddresses {
    const { size, index } = this;
    const [descriptor, driver, device] = this.parts(isPacked).map(({ start, size: bytes, isWritten }) => {
      const found = regions.guestAddress(start, bytes, isWritten);
      if (found !== undefined) return found;
      throw new VhostUserError("ring-address", `ring ${index}, ${bytes} bytes at 0x${start.toString(16)}`);
    });
    if (descriptor !== undefined && driver !== undefined && device !== undefined) {
      return { size, descriptor, driver, device };
    }
    throw new VhostUserError("ring-address", `ring ${index} has none`);
  }

  /** Where it is in the front end's address space; empty before that was said. */
  parts(isPacked: boolean): readonly RingPart[] {
    const { size, address } = this;
    if (address === undefined || size === 0) return [];
    return ringParts(
      { size, descriptor: address.descriptor, driver: address.available, device: address.used },
      isPacked,
    );
  }

  #forgetKick(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#kick?.close();
    this.#kick = undefined;
  }
}
