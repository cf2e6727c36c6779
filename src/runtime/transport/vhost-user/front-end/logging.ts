import { VhostUserError } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";
import type { DirtyPages } from "./dirty-pages.js";
import type { LastingLink } from "./lasting-link.js";

export interface LoggingOptions {
  readonly links: LastingLink;
  create(onWritten: (() => void) | undefined): DirtyPages;
  /** Says to a back end whether writes are logged: with the features, and for each ring. */
  tell(link: BackEndLink): Promise<void>;
}

/** Turns the dirty log on and off, whichever back end there is. */
export class Logging {
  readonly #options: LoggingOptions;
  #pages: DirtyPages | undefined;
  /** Why the log ended before it was stopped. */
  #lost: VhostUserError | undefined;

  constructor(options: LoggingOptions) {
    this.#options = options;
    this.#pages = undefined;
    this.#lost = undefined;
  }

  get isOn(): boolean {
    return this.#pages !== undefined;
  }

  /** @throws VhostUserError when it is on, or the back end does not do it. */
  async start(onWritten: (() => void) | undefined): Promise<DirtyPages> {
    const { links } = this.#options;
    this.#checkIsOff();
    const pages = this.#options.create(onWritten);
    try {
      await links.tell(async (link) => {
        this.#checkIsOff();
        this.#pages = pages;
        await pages.give(link);
        await this.#options.tell(link);
      });
      return pages;
    } catch (error) {
      if (this.#pages === pages) this.#pages = undefined;
      pages.close();
      throw error;
    }
  }

  /** Returns the pages that were not taken yet. @throws VhostUserError when there is no back end any more that knows them. */
  async stop(): Promise<number[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const pages = this.#pages;
    if (pages === undefined) return [];
    try {
      await this.#options.links.tell(async (link) => {
        this.#pages = undefined;
        await this.#options.tell(link);
      });
      return pages.take();
    } finally {
      pages.close();
    }
  }

  /** Another back end has taken the place of one that died: what that wrote last, it may not have marked. */
  async resume(link: BackEndLink): Promise<void> {
    this.#pages?.markAll();
    await this.#pages?.give(link);
  }

  /** The last back end is gone. A log that is on is of no use: what was written last may not be in it. */
  close(error: VhostUserError): void {
    if (this.#pages !== undefined) this.#lost = error;
    this.#pages?.close();
    this.#pages = undefined;
  }

  #checkIsOff(): void {
    if (this.#pages !== undefined) throw new VhostUserError("log-running", "startLog");
  }
}
