import { ProtocolFeature } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";
import { KeptInflight } from "./kept-inflight.js";

/** The rings that there may be. */
export interface MostRings {
  readonly queues: number;
  readonly queueSize: number;
  readonly isPacked: boolean;
}

/** The inflight region of all rings, which the first of them asks for, if the back end has any. */
export class InflightOfRings {
  #region: KeptInflight | undefined;

  constructor() {
    this.#region = undefined;
  }

  /** There is one, which the next back end can be given. */
  get isKept(): boolean {
    return this.#region !== undefined;
  }

  /** Sees to it that a back end has a region before one of its rings is started. */
  async ensure(link: BackEndLink, most: MostRings): Promise<void> {
    if (this.#region === undefined) await this.give(link, most);
  }

  /** Gives a back end the region of the one before it, or one of its own. */
  async give(link: BackEndLink, { queues, queueSize, isPacked }: MostRings): Promise<void> {
    if (!link.has(ProtocolFeature.INFLIGHT_SHMFD)) return;
    let region = this.#region;
    if (region === undefined) {
      const asked = await KeptInflight.ask(link, queues, queueSize, isPacked);
      // Another ring may have asked at the same time; and a link that has ended has nobody who closes it.
      region = this.#region;
      if (region !== undefined || link.ended !== undefined) asked.close();
      if (link.ended !== undefined) throw link.ended;
      region ??= this.#region = asked;
    }
    await region.give(link);
  }

  /** Nothing is in flight on a ring any more. */
  forget(ring: number): void {
    this.#region?.forget(ring);
  }

  close(): void {
    this.#region?.close();
    this.#region = undefined;
  }
}
