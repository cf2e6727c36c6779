import { isMainThread, parentPort } from "node:worker_threads";
import type { VirtioDevice } from "../../../../device/index.js";
import { FeatureSet } from "../../../../negotiation/index.js";
import { loadSystemCalls } from "../../../posix/index.js";
import type { Trace } from "../../../trace.js";
import { Replica } from "./replica.js";
import {
  isWelcome,
  sentError,
  workerProtocol,
  type Hello,
  type SentRequest,
  type Welcome,
  type WorkerMessage,
} from "./worker-messages.js";

export interface ServeQueuesOptions {
  /** Told of all that goes over the rings of this Worker. */
  readonly trace?: Trace;
}

/**
 * Called in a Worker that `serve` was given: works on the queues that are this Worker's, with a device of the same class,
 * features and configuration as that in the main thread, and handlers of its own. What the driver writes to the configuration
 * and what the main thread's device changes of it reach the device here; what this one changes of it nobody is told of.
 *
 * Done when the main thread does not serve the device any more. The Worker ends when nothing else keeps it.
 * @throws PosixUnavailableError where there is no Linux or no koffi; an Error in the main thread.
 */
export async function serveQueues(device: VirtioDevice, options: ServeQueuesOptions = {}): Promise<void> {
  const parent = parentPort;
  if (isMainThread || parent === null) throw new Error("serveQueues is for a Worker that serve() starts");
  const system = await loadSystemCalls();
  const welcome = await new Promise<Welcome>((resolve) => {
    parent.on("message", function heard(message: unknown) {
      if (!isWelcome(message)) return;
      parent.off("message", heard);
      resolve(message);
    });
    const hello: Hello = { virtioQueues: workerProtocol };
    parent.postMessage(hello);
  });
  const { port } = welcome;
  const tell = (message: WorkerMessage): void => port.postMessage(message);
  const replica = new Replica(device, {
    system,
    stopTimeout: welcome.stopTimeout,
    unsupported: FeatureSet.of(welcome.unsupported),
    trace: options.trace,
    tell,
  });
  const ended = new Promise<void>((resolve) => {
    // Also when the main thread is gone.
    port.once("close", resolve);
    port.on("message", ({ id, request }: SentRequest) => {
      void replica
        .handle(request)
        .then(
          (value) => tell({ kind: "answer", id, value }),
          (error: unknown) => tell({ kind: "failure", id, error: sentError(error) }),
        )
        .finally(() => {
          if (request.do === "end") port.close();
        });
    });
  });
  tell({ kind: "ready", deviceId: device.definition.id, offered: device.offered.bits() });
  await ended;
}
