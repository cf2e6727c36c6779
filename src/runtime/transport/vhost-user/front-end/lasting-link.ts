import { VhostUserError } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";
import { asVhostUserError } from "./front-end-channel.js";
import { BackOff, isAbsence, Pause, type ReconnectOptions } from "./return-of-back-end.js";

export interface LastingLinkOptions {
  /** Absent: the first back end is the last. */
  readonly reconnect: ReconnectOptions | undefined;
  /** Connects, and does not ask anything yet. @throws SystemCallError when nobody listens. */
  dial(onEnd: (link: BackEndLink, error: VhostUserError) => void): BackEndLink;
  /** Agrees on everything with a back end. */
  greet(link: BackEndLink): Promise<void>;
  /** Tells one that takes the place of another all that the first was told. @throws VhostUserError if it is not alike. */
  resume(link: BackEndLink): Promise<void>;
  /** It has taken its place. */
  resumed(): void;
  /** Told once, when there is no back end any more and none is waited for. */
  onEnd(error: VhostUserError): void;
}

/** The back end at a path: one after the other, if those that die are to be replaced. */
export class LastingLink {
  readonly #options: LastingLinkOptions;
  readonly #backOff: BackOff;
  /** That is in use. */
  #link: BackEndLink | undefined;
  /** That is being set up. */
  #candidate: BackEndLink | undefined;
  /** While one is waited for; done when there is one, or none will come. */
  #waiting: Promise<void> | undefined;
  #pause: Pause | undefined;
  #ended: VhostUserError | undefined;
  /** There has been a back end. */
  #isEstablished = false;

  constructor(options: LastingLinkOptions) {
    this.#options = options;
    this.#backOff = new BackOff(options.reconnect ?? {});
    this.#link = undefined;
    this.#candidate = undefined;
    this.#waiting = undefined;
    this.#pause = undefined;
    this.#ended = undefined;
  }

  /** Connects for the first time: nobody is waited for. */
  async open(): Promise<void> {
    this.#link = this.#options.dial((link, error) => this.#lost(link, error));
    await this.#options.greet(this.#link);
    this.#isEstablished = true;
  }

  /** The back end that is in use; undefined while one is waited for, or when all is over. */
  get current(): BackEndLink | undefined {
    return this.#link;
  }
  /** Why all is over. */
  get ended(): VhostUserError | undefined {
    return this.#ended;
  }

  /** Asks something that any of the back ends can answer. Waits for one, if need be. */
  async ask<T>(work: (link: BackEndLink) => Promise<T>): Promise<T> {
    for (;;) {
      const link = await this.#present();
      // It may have gone since.
      if (link !== this.#link) continue;
      try {
        return await work(link);
      } catch (error) {
        if (!this.#isReplaced(link)) throw error;
      }
    }
  }

  /**
   * Tells something that the next back end is told in any case (`resume`), if this one dies. `work` makes a note for that
   * at its start: not before, as a back end may be being told meanwhile. Waits for one, if need be.
   */
  async tell(work: (link: BackEndLink) => Promise<void>): Promise<void> {
    let link = await this.#present();
    while (link !== this.#link) link = await this.#present();
    try {
      await work(link);
    } catch (error) {
      if (!this.#isReplaced(link)) throw error;
      await this.#present();
    }
  }

  /** Tells something that is true by itself when the back end is gone. False: it was gone. */
  async tellPresent(work: (link: BackEndLink) => Promise<void>): Promise<boolean> {
    const link = this.#link;
    // What was told to the one that is being set up may be wrong now.
    this.#candidate?.end(new VhostUserError("peer-gone", "the set-up begins anew"));
    if (link === undefined) return false;
    try {
      await work(link);
      return true;
    } catch (error) {
      if (!this.#isReplaced(link) && !(link.ended !== undefined && isAbsence(link.ended))) throw error;
      return false;
    }
  }

  /** Ends it all. Safe to call twice. */
  end(error: VhostUserError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    const links = [this.#link, this.#candidate];
    this.#link = undefined;
    this.#candidate = undefined;
    this.#pause?.end();
    for (const link of links) link?.end(error);
    this.#options.onEnd(error);
  }

  async #present(): Promise<BackEndLink> {
    while (this.#waiting !== undefined) await this.#waiting;
    if (this.#link === undefined) throw this.#ended ?? new VhostUserError("peer-gone", "it is not connected");
    return this.#link;
  }

  /** It went while it was asked, and another one has taken its place or is waited for. */
  #isReplaced(link: BackEndLink): boolean {
    return link !== this.#link && this.#ended === undefined;
  }

  #lost(link: BackEndLink, error: VhostUserError): void {
    if (link !== this.#link) return;
    const { reconnect } = this.#options;
    if (reconnect === undefined || !this.#isEstablished || !isAbsence(error)) {
      this.end(error);
      return;
    }
    this.#link = undefined;
    this.#backOff.lost();
    const waiting = this.#replace(error).finally(() => {
      if (this.#waiting === waiting) this.#waiting = undefined;
    });
    this.#waiting = waiting;
    reconnect.onLost?.(error);
  }

  /** Never rejects: at the end there is a back end, or all is over. */
  async #replace(lost: VhostUserError): Promise<void> {
    let last: unknown = lost;
    while (this.#ended === undefined) {
      const delay = this.#backOff.next();
      if (delay === undefined) {
        const detail = last instanceof Error ? last.message : String(last);
        this.end(new VhostUserError("peer-gone", `none has come in time; ${detail}`, { cause: last }));
        return;
      }
      this.#pause = new Pause(delay);
      await this.#pause.over;
      this.#pause = undefined;
      const failure = await this.#attempt();
      if (failure === undefined) return;
      last = failure;
      if (!isAbsence(failure)) this.end(asVhostUserError(failure));
    }
  }

  /** Returns why a back end is not there. */
  async #attempt(): Promise<unknown> {
    if (this.#ended !== undefined) return this.#ended;
    let candidate: BackEndLink | undefined;
    try {
      candidate = this.#options.dial((link, error) => this.#lost(link, error));
      this.#candidate = candidate;
      await this.#options.greet(candidate);
      await this.#options.resume(candidate);
      if (candidate.ended !== undefined) return candidate.ended;
      this.#link = candidate;
      this.#candidate = undefined;
      this.#backOff.returned();
      this.#options.resumed();
      this.#options.reconnect?.onReturn?.();
      return undefined;
    } catch (error) {
      this.#candidate = undefined;
      candidate?.end(asVhostUserError(error));
      return error;
    }
  }
}
