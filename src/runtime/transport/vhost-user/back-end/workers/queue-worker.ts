import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import type { SharedMapping } from "../../../posix/index.js";
import { VhostUserError } from "../../protocol/index.js";
import {
  isHello,
  receivedError,
  workerProtocol,
  type LentBytes,
  type SentRequest,
  type Welcome,
  type WorkerMessage,
  type WorkerRequest,
} from "./worker-messages.js";

/** How Workers are started, and what they are told. */
export interface QueueWorkerOptions {
  readonly start: (number: number) => Worker;
  /** Milliseconds that the stop of a ring waits for requests. */
  readonly stopTimeout: number;
  readonly unsupported: readonly number[];
  readonly deviceId: number;
  readonly offered: readonly number[];
}

/** What a Worker tells without being asked. */
export interface QueueWorkerEvents {
  /** The thread has ended, and uses nothing any more. */
  onLost(error: VhostUserError): void;
  onNeedsReset(): void;
  onReport(error: Error): void;
}

/** Milliseconds that a Worker may take to load and say that it is there. */
const patienceAtStart = 30_000;
/** Milliseconds that it may take for an answer, besides those that a stop waits for requests, and for what holds on to memory. */
const patience = 5000;

interface Pending {
  readonly resolve: (value: number | undefined) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A Worker that works on queues, as the main thread sees it. The main thread owns all file descriptors and mappings: it
 * closes what the Worker used when that has answered that it lets go of it, or when its thread has ended.
 */
export class QueueWorker {
  readonly number: number;
  events: QueueWorkerEvents | undefined;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #stopTimeout: number;
  readonly #pending = new Map<number, Pending>();
  /** How what is lent is given back, by its number. */
  readonly #loans = new Map<number, () => void>();
  #requests = 0;
  #loanCount = 0;
  #lost: VhostUserError | undefined;
  #exited = false;
  readonly #exit: Promise<void>;

  private constructor(number: number, worker: Worker, port: MessagePort, stopTimeout: number) {
    this.number = number;
    this.#worker = worker;
    this.#port = port;
    this.#stopTimeout = stopTimeout;
    this.events = undefined;
    this.#lost = undefined;
    worker.on("error", (error: unknown) => (this.#lost ??= gone(number, text(error), error)));
    this.#exit = new Promise((resolve) => {
      worker.once("exit", (code) => {
        this.#ended(code);
        resolve();
      });
    });
    port.on("message", (message: WorkerMessage) => this.#receive(message));
  }

  /** Starts one. @throws VhostUserError (`worker-gone`) when it does not come to serve the device that it is to. */
  static async start(number: number, options: QueueWorkerOptions): Promise<QueueWorker> {
    const { port1, port2 } = new MessageChannel();
    const welcome: Welcome = {
      virtioQueues: workerProtocol,
      port: port2,
      stopTimeout: options.stopTimeout,
      unsupported: options.unsupported,
    };
    const worker = await greeted(number, options);
    const started = new QueueWorker(number, worker, port1, options.stopTimeout);
    const ready = new Promise<void>((resolve, reject) => {
      started.#ready = ({ deviceId, offered }) => {
        if (deviceId === options.deviceId && offered.join() === options.offered.join()) resolve();
        else reject(gone(number, `its device is ${deviceId} with features ${offered.join(", ")}, not the same`));
      };
      void started.#exit.then(() => reject(started.#lost ?? gone(number, "it ended")));
    });
    worker.postMessage(welcome, [port2]);
    try {
      await withinTime(ready, patienceAtStart, () => gone(number, "its device does not get ready"));
      return started;
    } catch (error) {
      await started.#terminate();
      throw error;
    }
  }
  #ready: ((message: Extract<WorkerMessage, { kind: "ready" }>) => void) | undefined;

  /** Its thread is there, as far as is known. */
  get isAlive(): boolean {
    return this.#lost === undefined && !this.#exited;
  }

  /** Asks for something. @throws VhostUserError that the Worker answers with, or `worker-gone` once its thread has ended. */
  async call(request: WorkerRequest): Promise<number | undefined> {
    if (!this.isAlive) {
      await this.#exit;
      throw this.#lost ?? gone(this.number, "it ended");
    }
    return await new Promise((resolve, reject) => {
      const id = ++this.#requests;
      // Whoever waits is answered when the thread has ended.
      const timer = setTimeout(() => void this.#giveUp(request.do), 2 * this.#stopTimeout + patience);
      this.#pending.set(id, { resolve, reject, timer });
      const sent: SentRequest = { id, request };
      this.#port.postMessage(sent);
    });
  }

  /** Lends memory, until the Worker has no view of it any more. */
  lend(mapping: SharedMapping, offset: number, length: number): LentBytes {
    const { pointer, giveBack } = mapping.lend(offset, length);
    const loan = ++this.#loanCount;
    this.#loans.set(loan, giveBack);
    return { loan, pointer, length };
  }

  /** Ends the thread, if it does not end by itself. */
  async end(): Promise<void> {
    if (this.isAlive) await this.call({ do: "end" }).catch(() => undefined);
    const late = new Promise<void>((resolve) => setTimeout(resolve, this.#stopTimeout).unref());
    await Promise.race([this.#exit, late]);
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    if (!this.#exited) await this.#worker.terminate();
    await this.#exit;
  }

  async #giveUp(what: string): Promise<void> {
    this.#lost ??= gone(this.number, `it does not answer to ${what}`);
    await this.#terminate();
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case "ready":
        this.#ready?.(message);
        return;
      case "answer":
        this.#settled(message.id)?.resolve(message.value);
        return;
      case "failure":
        this.#settled(message.id)?.reject(receivedError(message.error));
        return;
      case "collected":
        this.#loans.get(message.loan)?.();
        this.#loans.delete(message.loan);
        return;
      case "needs-reset":
        this.events?.onNeedsReset();
        return;
      case "report":
        this.events?.onReport(receivedError(message.error));
    }
  }

  #settled(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    return pending;
  }

  #ended(code: number): void {
    this.#exited = true;
    this.#port.close();
    for (const giveBack of this.#loans.values()) giveBack();
    this.#loans.clear();
    const error = (this.#lost ??= gone(this.number, `it ended with ${code}`));
    for (const id of [...this.#pending.keys()]) this.#settled(id)?.reject(error);
    this.events?.onLost(error);
  }
}

/** A Worker that has said that it is there. */
async function greeted(number: number, { start }: QueueWorkerOptions): Promise<Worker> {
  let worker: Worker;
  try {
    worker = start(number);
  } catch (error) {
    throw gone(number, text(error), error);
  }
  const hello = new Promise<Worker>((resolve, reject) => {
    worker.on("message", function heard(message: unknown) {
      if (!isHello(message)) return;
      worker.off("message", heard);
      if (message.virtioQueues === workerProtocol) resolve(worker);
      else reject(gone(number, "it has loaded another version of this package"));
    });
    worker.once("error", (error: unknown) => reject(gone(number, text(error), error)));
    worker.once("exit", (code) => reject(gone(number, `it ended with ${code} and did not call serveQueues`)));
  });
  try {
    return await withinTime(hello, patienceAtStart, () => gone(number, "it does not call serveQueues"));
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

async function withinTime<T>(work: Promise<T>, milliseconds: number, error: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error()), milliseconds);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function gone(number: number, detail: string, cause?: unknown): VhostUserError {
  return new VhostUserError("worker-gone", `Worker ${number}: ${detail}`, cause === undefined ? {} : { cause });
}
function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
