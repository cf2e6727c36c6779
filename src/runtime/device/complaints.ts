import { HandlerError } from "../negotiation/errors.js";

/** Takes errors to whoever listens, and the first that nobody may overlook to the console. */
export class Complaints {
  readonly #name: string;
  #complained = false;

  constructor(name: string) {
    this.#name = name;
  }

  tell(listener: ((error: Error) => void) | undefined, error: Error): void {
    if (listener === undefined) {
      // What a peer does wrong is its own business, but a failing handler is a mistake that the author must see. Once:
      // the peer may be able to make it fail at will.
      if (error instanceof HandlerError) this.#write(`${this.#name}:`, error);
      return;
    }
    try {
      listener(error);
    } catch (failure) {
      this.#write(`${this.#name}: onProtocolError failed:`, failure);
    }
  }

  #write(text: string, error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    console.error(text, error);
  }
}
