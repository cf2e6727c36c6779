import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connect,
  type ConnectOptions,
  type VhostUserDriverTransport,
  type VhostUserError,
} from "../../../../src/runtime/transport/vhost-user/index.js";
import { BLK_DEVICE_ID } from "../../../../generated/blk.js";
import { openFiles } from "../../fixtures/process-state.js";
import { ScriptedBackEnd } from "./scripted-back-end.js";
import { until } from "./scripted-front-end.js";

/** A back end that follows a script, and the connection of a test to it: begun before each test and ended behind it. */
export class ScriptedConnection {
  /** Why connections ended. */
  readonly ends: VhostUserError[] = [];
  #folder = "";
  #files = 0;
  #back: ScriptedBackEnd | undefined;
  #transport: VhostUserDriverTransport | undefined;

  async begin(): Promise<ScriptedBackEnd> {
    this.#files = openFiles();
    this.#folder = mkdtempSync(join(tmpdir(), "virtio-gen-scripted-"));
    this.ends.length = 0;
    this.#transport = undefined;
    return (this.#back = await ScriptedBackEnd.listen(join(this.#folder, "socket")));
  }

  async open(options: Partial<ConnectOptions> = {}): Promise<VhostUserDriverTransport> {
    return (this.#transport = await connect(join(this.#folder, "socket"), {
      ...{ deviceId: BLK_DEVICE_ID, memorySize: 1 << 20, queueSize: 8, ...options },
      onEnd: (error) => void this.ends.push(error),
    }));
  }

  /** Nothing is left behind. */
  async end(): Promise<void> {
    this.#transport?.close();
    this.#back?.close();
    rmSync(this.#folder, { recursive: true, force: true });
    await until(() => openFiles() <= this.#files, "as few open files as before");
  }
}
