/** The way of a device to its suspension (3.4): one at a time, and nobody's business after a reset. */
export class Suspension {
  #current: object | undefined;

  constructor() {
    this.#current = undefined;
  }

  get underWay(): boolean {
    return this.#current !== undefined;
  }

  /** Does one step after the other, and says at the end what went wrong. Nothing, if it is under way already. */
  begin(
    steps: readonly (() => void | Promise<void>)[],
    ended: (failure: { readonly error: unknown } | undefined) => void,
  ) {
    if (this.underWay) return;
    const own = {};
    this.#current = own;
    const work = async (): Promise<void> => {
      for (const step of steps) if (this.#current === own) await step();
    };
    work().then(
      () => {
        if (this.#current !== own) return;
        this.#current = undefined;
        ended(undefined);
      },
      (error: unknown) => {
        if (this.#current === own) ended({ error });
      },
    );
  }

  /** The device was reset: what was begun ends without a word. */
  forget(): void {
    this.#current = undefined;
  }
}
