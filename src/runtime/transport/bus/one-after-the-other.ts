/** Runs pieces of work one after the other: registers behind a selector must not be accessed in between. */
export class OneAfterTheOther {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** Does work that nobody waits for; `onError` is told when it fails. */
export function unattended(work: () => void | Promise<void>, onError: ((error: Error) => void) | undefined): void {
  const failed = (error: unknown): void => onError?.(error instanceof Error ? error : new Error(String(error)));
  try {
    Promise.resolve(work()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
