import type { GuestMemory } from "../../../memory/index.js";
import type { QueueAddresses } from "../../../ring/index.js";
import { beginning } from "../../../ring/queue-position.js";
import { baseOf, encodePayload, VhostUserError, VRING_LOG } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";
import type { RingEvents } from "./ring-events.js";

/** A ring of the driver, and the eventfds that go with it, if notifications are not messages. It stays when its back end dies. */
export class FrontEndRing {
  readonly index: number;
  readonly addresses: QueueAddresses;
  readonly #events: RingEvents | undefined;

  /** Takes the eventfds over. */
  constructor(index: number, addresses: QueueAddresses, events: RingEvents | undefined) {
    this.index = index;
    this.addresses = addresses;
    this.#events = events;
  }

  /** @param link the back end that is there. The next one is kicked when it has been set up. */
  kick(link: BackEndLink | undefined): void {
    if (this.#events === undefined) link?.kick(this.index);
    else this.#events.kick.signal();
  }

  /** Lets the back end at the ring, from `base` on. */
  async start(link: BackEndLink, base: number, isLogged: boolean): Promise<void> {
    const { index, addresses } = this;
    const { channel } = link;
    await channel.tell("SET_VRING_NUM", { index, num: addresses.size });
    await channel.tell("SET_VRING_BASE", { index, num: base });
    await this.setAddress(link, isLogged);
    if (this.#events !== undefined) {
      await channel.tell("SET_VRING_CALL", BigInt(index), [this.#events.call.fd]);
      await this.#giveFailure(link, this.#events.failure.fd);
      await channel.tell("SET_VRING_KICK", BigInt(index), [this.#events.kick.fd]);
    }
    if (link.hasProtocolFeatures) await channel.tell("SET_VRING_ENABLE", { index, num: 1 });
    // Without an eventfd for it, the first kick is what starts a ring.
    if (this.#events === undefined) await channel.tell("VRING_KICK", { index, num: 0 });
  }

  /** Before the kick, which starts the ring. A back end that wants to say nothing of errors works all the same. */
  async #giveFailure({ channel }: BackEndLink, fd: number): Promise<void> {
    try {
      await channel.tell("SET_VRING_ERR", BigInt(this.index), [fd]);
    } catch (error) {
      if (!(error instanceof VhostUserError && error.rule === "refused")) throw error;
    }
  }

  /** Where the ring is, and whether what is written to it is logged: that may change while it runs. */
  async setAddress(link: BackEndLink, isLogged: boolean): Promise<void> {
    const { descriptor, device, driver } = this.addresses;
    const places = { descriptor, used: device, available: driver };
    const logging = { flags: isLogged ? VRING_LOG : 0, log: isLogged ? device : undefined };
    await link.channel.tell("SET_VRING_ADDR", { index: this.index, ...places, ...logging });
  }

  /** Done when the back end does not touch the ring any more. */
  async stop(link: BackEndLink): Promise<void> {
    const { index } = this;
    link.forgetKick(index);
    if (link.hasProtocolFeatures) await link.channel.tell("SET_VRING_ENABLE", { index, num: 0 });
    await link.channel.askFor("vringState", "GET_VRING_BASE", encodePayload("vringState", { index, num: 0 }));
  }

  /**
   * Where a ring goes on whose back end is lost: behind what was used. Of a packed ring only the inflight region knows it,
   * so that the number is that of a new one.
   */
  lostBase(memory: GuestMemory, isPacked: boolean): number {
    if (isPacked) return baseOf(beginning, true);
    const { device } = this.addresses;
    const region = memory.locate(device, 4);
    return region === undefined ? 0 : region.view.getUint16(device - region.start + 2, true);
  }

  close(): void {
    this.#events?.close();
  }
}
