/** The thread at the other end of a channel has closed it, ended or failed; or sent what is no message. */
export class ThreadLostError extends Error {
  override readonly name = "ThreadLostError";

  constructor(why: string, options?: ErrorOptions) {
    super(`the other thread is gone: ${why}`, options);
  }
}
