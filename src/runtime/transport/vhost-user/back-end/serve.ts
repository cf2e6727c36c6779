import { unlinkSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { DeviceOptionsError, type VirtioDevice } from "../../../device/index.js";
import { GuestMemory } from "../../../memory/index.js";
import { CommonFeature, DeviceStatus, FeatureSet } from "../../../negotiation/index.js";
import {
  isSocketFile,
  loadSystemCalls,
  SystemCallError,
  UnixListener,
  UnixSocket,
  watcherOf,
  type SystemCalls,
  type Watch,
} from "../../posix/index.js";
import type { Trace } from "../../trace.js";
import { frontEndTable, MessageChannel, type VhostUserError } from "../protocol/index.js";
import { Connection } from "./connection.js";
import type { NetworkRequests } from "./network-requests.js";
import { Session } from "./session.js";
import type { SessionOptions } from "./session-options.js";
import { SessionWorkers } from "./workers/session-workers.js";
import { WorkerPool } from "./workers/worker-pool.js";

/** Workers that queues are spread over. */
export interface QueueWorkers {
  /** How many. */
  readonly count: number;
  /**
   * Starts one of them, 0 to `count - 1`: its module makes a device like the one that is served, and calls `serveQueues`.
   * Called again for a Worker that was lost, when the next front end connects.
   */
  readonly start: (worker: number) => Worker;
  /** Which of them works on a queue; undefined: the main thread. They take turns if absent. */
  readonly of?: (queue: number) => number | undefined;
}

export interface ServeOptions {
  /** Path of the socket to listen on. A socket that is left over from a program that has ended is replaced. */
  readonly socket: string;
  /**
   * Offers RING_RESET if the device does. Off if absent: the protocol has no message for the reset of a ring, so only a front
   * end that stops and starts the ring instead may be offered it.
   */
  readonly ringReset?: boolean;
  /**
   * Milliseconds that the stop of a ring waits for requests that the device has not answered; 10,000 if absent. The front
   * end, and mostly its whole machine, waits meanwhile.
   */
  readonly stopTimeout?: number;
  /**
   * Offers INBAND_NOTIFICATIONS: kicks and calls as messages that are answered, for simulations. Off if absent, as User-mode
   * Linux uses it wherever it is offered, and eventfds are faster.
   */
  readonly inbandNotifications?: boolean;
  /** Of a network card: its MTU, and an announcement when a guest has moved here, as messages. Neither is offered if absent. */
  readonly network?: NetworkRequests;
  /** Queues are worked on in Workers; all in this thread if absent. */
  readonly workers?: QueueWorkers;
  /** Told when a front end has connected. */
  readonly onConnect?: () => void;
  /** Told when it is gone; with an error if that was because it broke a rule. */
  readonly onDisconnect?: (error: VhostUserError | undefined) => void;
  /** Told of what a front end does wrong without being cut off for it. */
  readonly onError?: (error: Error) => void;
  /** Told of all that goes over the transport. */
  readonly trace?: Trace;
}

/** A device that is being served. */
export interface ServedDevice {
  readonly socket: string;
  /** A front end is connected. */
  readonly connected: boolean;
  /** Done when it is not served any more. */
  readonly closed: Promise<void>;
  /** Ends it: the front end, if there is one, is cut off, the device reset and taken off, the socket removed. */
  close(): Promise<void>;
}

const defaultStopTimeout = 10_000;
/** Milliseconds after which it is tried again when a front end could not be let in. */
const pauseAfterFailure = 100;

/** What the protocol has no words for, or this back end does not do. */
const notOverVhostUser = [
  CommonFeature.NOTIFICATION_DATA,
  CommonFeature.NOTIF_CONFIG_DATA,
  CommonFeature.SR_IOV,
  CommonFeature.ADMIN_VQ,
  CommonFeature.SUSPEND,
];
/** Features are numbers of 64 bits in the protocol. */
const beyondTheProtocol = Array.from({ length: 64 }, (_, index) => 64 + index);

/**
 * Serves a device to vhost-user front ends, such as QEMU, over a socket: one at a time, and the next when one has gone.
 * Needs Linux and koffi.
 * @throws PosixUnavailableError where those are missing; SystemCallError when the socket cannot be made (`EADDRINUSE`:
 * another program listens there); VhostUserError (`worker-gone`) when a Worker does not get ready; DeviceOptionsError for
 * Workers and a device that offers ACCESS_PLATFORM, whose translations are known in one thread only.
 */
export async function serve(device: VirtioDevice, options: ServeOptions): Promise<ServedDevice> {
  if (options.workers !== undefined && device.offered.has(CommonFeature.ACCESS_PLATFORM)) {
    throw new DeviceOptionsError("a device that offers ACCESS_PLATFORM cannot be worked on in Workers");
  }
  const system = await loadSystemCalls();
  const listener = listen(system, options.socket);
  try {
    const server = new Server(device, options, system, listener);
    await server.start();
    return server;
  } catch (error) {
    listener.close();
    removeSocket(options.socket);
    throw error;
  }
}

class Server implements ServedDevice {
  readonly socket: string;
  readonly closed: Promise<void>;
  readonly #device: VirtioDevice;
  readonly #options: ServeOptions;
  readonly #sessionOptions: SessionOptions;
  readonly #listener: UnixListener;
  readonly #noMemory = new GuestMemory([]);
  readonly #workers: WorkerPool | undefined;
  #watch: Watch | undefined;
  #session: Session | undefined;
  #connection: Connection | undefined;
  #settle: () => void = () => undefined;
  #isClosing = false;

  constructor(device: VirtioDevice, options: ServeOptions, system: SystemCalls, listener: UnixListener) {
    this.socket = options.socket;
    this.closed = new Promise((resolve) => (this.#settle = resolve));
    this.#device = device;
    this.#options = options;
    this.#listener = listener;
    this.#watch = undefined;
    this.#session = undefined;
    this.#connection = undefined;
    const resets = options.ringReset === true ? [] : [CommonFeature.RING_RESET];
    this.#sessionOptions = {
      system,
      watcher: watcherOf(system),
      stopTimeout: options.stopTimeout ?? defaultStopTimeout,
      inbandNotifications: options.inbandNotifications ?? false,
      network: options.network ?? {},
      report: (error) => options.onError?.(error),
    };
    const unsupported = FeatureSet.of([...notOverVhostUser, ...resets, ...beyondTheProtocol]);
    const { workers } = options;
    this.#attach(unsupported);
    this.#workers =
      workers &&
      new WorkerPool(workers.count, workers.of, {
        start: workers.start,
        stopTimeout: this.#sessionOptions.stopTimeout,
        unsupported: unsupported.bits(),
        deviceId: device.definition.id,
        offered: device.offered.bits(),
      });
  }

  /** Front ends are served from when the Workers are ready. */
  async start(): Promise<void> {
    try {
      await this.#workers?.ready();
    } catch (error) {
      this.#device.detach();
      await this.#workers?.end();
      throw error;
    }
    this.#listen();
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#watch?.close();
      this.#listener.close();
      removeSocket(this.socket);
      if (this.#connection === undefined) await this.#finish();
      else this.#connection.close();
    }
    await this.closed;
  }

  #attach(unsupported: FeatureSet): void {
    const session = (): Session | undefined => this.#session;
    const noMemory = this.#noMemory;
    const { trace } = this.#options;
    this.#device.attach({
      get memory() {
        return session()?.memory ?? noMemory;
      },
      unsupported,
      notifyDriver: (queue) => {
        this.#device.trace?.({ kind: "interrupt", queue });
        session()?.used(queue);
      },
      notifyConfig: () => session()?.notifyConfig(),
      statusChanged: (status) => {
        if ((status & DeviceStatus.NEEDS_RESET) !== 0) session()?.rings.fail();
      },
      queueEnabled: (queue, addresses) => session()?.rings.wrap(queue, addresses) ?? queue,
      trace,
    });
  }

  #listen(): void {
    if (this.#isClosing) return;
    this.#watch = this.#sessionOptions.watcher.watch(this.#listener.fd, () => {
      let socket;
      try {
        socket = this.#listener.accept();
      } catch (error) {
        // Such as too many open files: there may be fewer later.
        this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
        // Until then it would be tried in every turn, as who connects still waits.
        this.#watch?.close();
        setTimeout(() => this.#listen(), pauseAfterFailure);
      }
      if (socket === undefined) return;
      // The next one waits until this one has gone.
      this.#watch?.close();
      void this.#serve(socket);
    });
  }

  async #serve(socket: UnixSocket): Promise<void> {
    let workers: SessionWorkers | undefined;
    try {
      workers = await this.#readyWorkers();
    } catch (error) {
      this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
      socket.close();
      this.#listen();
      return;
    }
    if (this.#isOver()) {
      socket.close();
      return;
    }
    const session = new Session(this.#device, this.#sessionOptions, workers);
    const channel = new MessageChannel(socket, frontEndTable, "requests");
    const { watcher, report } = this.#sessionOptions;
    this.#session = session;
    const connection = (this.#connection = new Connection(channel, session, watcher, report));
    this.#workers?.listen({
      onLost: (error) => connection.close(error),
      onNeedsReset: () => session.needsReset(),
      onReport: report,
    });
    this.#options.onConnect?.();
    const error = await connection.ended;
    this.#workers?.listen(undefined);
    // First of all they let go of descriptors that are closed, and of memory that is taken away.
    await workers?.release();
    session.close();
    this.#device.reset();
    const until = performance.now() + this.#sessionOptions.stopTimeout;
    while (this.#device.resetting && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // Who still has a view of it, against what a reset asks for, does no harm.
    session.regions.release();
    this.#session = undefined;
    this.#connection = undefined;
    this.#options.onDisconnect?.(error);
    if (this.#isClosing) await this.#finish();
    else this.#listen();
  }

  #isOver(): boolean {
    return this.#isClosing;
  }

  async #readyWorkers(): Promise<SessionWorkers | undefined> {
    const pool = this.#workers;
    return pool && new SessionWorkers(this.#device, await pool.ready(), pool.of);
  }

  async #finish(): Promise<void> {
    this.#device.detach();
    await this.#workers?.end();
    this.#settle();
  }
}

function listen(system: SystemCalls, path: string): UnixListener {
  try {
    return new UnixListener(system, path);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== "EADDRINUSE" || isInUse(system, path)) throw error;
    removeSocket(path);
    return new UnixListener(system, path);
  }
}

/** Is it anything but a socket that nobody listens on? */
function isInUse(system: SystemCalls, path: string): boolean {
  try {
    // Linux refuses a connection to any other file like one to an abandoned socket.
    if (!isSocketFile(path)) return true;
    UnixSocket.connect(system, path).close();
    return true;
  } catch (error) {
    return !(error instanceof SystemCallError && error.code === "ECONNREFUSED");
  }
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else did.
  }
}
