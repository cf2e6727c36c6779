import { spawnSync } from "node:child_process";
import type { QmpClient } from "../../../src/runtime/transport/qtest/index.js";
import { requirePeer } from "../peers.js";
import { AgentConnection } from "./agent-connection.js";
import { GuestCommands } from "./guest-commands.js";
import { guestImage } from "./guest-image.js";
import type { GuestImage } from "./kernel-image.js";
import { GuestUnavailable } from "./initramfs.js";
import { move, movePostCopy } from "./migration.js";
import { QemuRun } from "./qemu-run.js";
import { within } from "./within.js";

export interface GuestOptions {
  /** Devices and back ends, as on QEMU's command line. The guest's memory is shared; its object is called `memory`. */
  readonly devices: readonly string[];
  /** Modules of the kernel to load, with those that they need, before the test begins. */
  readonly modules?: readonly string[];
  /** Processors; 1 if absent. */
  readonly processors?: number;
  /** Memory in MiB; 256 if absent. */
  readonly memory?: number;
  /** What memory may become when more is plugged in, by four modules at most, in MiB. No more than there is if absent. */
  readonly mostMemory?: number;
  /** QEMU; `qemu-system-x86_64` if absent. */
  readonly program?: string;
  /** More of the kernel's command line. */
  readonly extraKernelArguments?: string;
}

/** For how long a guest may take to start, in seconds: it needs about 5, on a machine that does nothing else. */
const BOOT_PATIENCE = 300;
/** For how long it may take to move, in seconds: it is held up on purpose. */
const MOVE_PATIENCE = 400;

let image: GuestImage | undefined;

/** Asks for QEMU and a guest at the top of a suite: `describe.runIf(await requireGuest())`. The first one makes it. */
export function requireGuest(): Promise<boolean> {
  return requirePeer("a Linux guest (qemu-system-x86_64, Debian's kernel)", async () => {
    if (process.platform !== "linux" || process.arch !== "x64") return "it is made on Linux, on x86-64";
    const { status, error } = spawnSync("qemu-system-x86_64", ["--version"]);
    if (error !== undefined || status !== 0) return "qemu-system-x86_64 cannot be run";
    try {
      image = await guestImage();
      return undefined;
    } catch (problem) {
      if (problem instanceof GuestUnavailable) return problem.message;
      throw problem;
    }
  });
}

/** Boots a guest for `work`; it is gone afterwards. Its console is part of a failure. */
export async function withGuest<T>(options: GuestOptions, work: (guest: Guest) => Promise<T>): Promise<T> {
  const guest = await Guest.start(options);
  try {
    return await work(guest);
  } catch (error) {
    if (error instanceof Error) error.message += guest.account();
    throw error;
  } finally {
    await guest.close();
  }
}

/** A Linux that runs in QEMU, in which a test runs commands. */
export class Guest extends GuestCommands {
  readonly #agent: AgentConnection;
  readonly #options: GuestOptions;
  #qemu: QemuRun;
  #qmp: QmpClient;
  /** What earlier QEMUs printed, where the guest was before. */
  #before = "";

  private constructor(options: GuestOptions, qemu: QemuRun, agent: AgentConnection, qmp: QmpClient) {
    super(agent, qemu);
    this.#agent = agent;
    this.#options = options;
    this.#qemu = qemu;
    this.#qmp = qmp;
  }

  get qmp(): QmpClient {
    return this.#qmp;
  }

  /**
   * Boots a guest and waits until commands can be run in it. Nothing is left behind when it fails.
   * @throws Error with what the guest printed on its console.
   */
  static async start(options: GuestOptions): Promise<Guest> {
    const qemu = await QemuRun.start(image ?? (await guestImage()), options);
    try {
      const qmp = await within(BOOT_PATIENCE, "QEMU does not answer", Promise.race([qemu.qmp(), qemu.ended]));
      const agent = new AgentConnection(await Promise.race([qemu.agentSocket, qemu.ended]));
      await within(BOOT_PATIENCE, "the guest does not start", Promise.race([agent.ready, qemu.ended]));
      const guest = new Guest(options, qemu, agent, qmp);
      const modules = options.modules ?? [];
      if (modules.length > 0) await guest.run(`modprobe -a virtio_pci ${modules.join(" ")}`, BOOT_PATIENCE);
      return guest;
    } catch (error) {
      if (error instanceof Error) error.message += qemu.account();
      await qemu.close();
      throw error;
    }
  }

  /**
   * Moves the guest to another QEMU while it runs. Commands that run go on; none may be begun but by `meanwhile`.
   * @param devices The same devices, with back ends for the other QEMU.
   * @param meanwhile Done when all memory has been sent once, and before the guest stands still for the last of it.
   */
  async migrate(devices: readonly string[], meanwhile: () => Promise<void>): Promise<void> {
    await this.#moveTo(devices, async (_, uri) => await move(this.qmp, uri, meanwhile));
  }

  /**
   * Moves the guest to another QEMU while it runs, by post-copy. Commands that run go on; none may be begun meanwhile.
   * @param devices The same devices, with back ends for the other QEMU.
   * @param meanwhile Done when what has not been asked for may come, too. The guest runs there already.
   * @returns how many pages the other QEMU asked for.
   */
  async migratePostCopy(devices: readonly string[], meanwhile: () => Promise<void>): Promise<number> {
    return await this.#moveTo(devices, async (target, uri) => await movePostCopy(this.qmp, target, uri, meanwhile));
  }

  async #moveTo<T>(devices: readonly string[], work: (target: QmpClient, uri: string) => Promise<T>): Promise<T> {
    const target = await QemuRun.start(image ?? (await guestImage()), { ...this.#options, devices }, "incoming");
    try {
      const starting = Promise.race([target.qmp(), target.ended]);
      const qmp = await within(BOOT_PATIENCE, "the other QEMU does not answer", starting);
      const result = await within(MOVE_PATIENCE, "the guest does not move", work(qmp, target.incoming));
      const source = this.#qemu;
      this.#before += this.account();
      this.qmp.close();
      this.#qemu = target;
      this.#qmp = qmp;
      const line = await target.agentSocket;
      this.movedTo(target);
      const moved = this.#agent.continueOn(line);
      await source.close();
      await moved;
      return result;
    } catch (error) {
      if (error instanceof Error) error.message += target.account();
      await target.close();
      throw error;
    }
  }

  /** Ends the guest at once. Safe to call twice. */
  async close(): Promise<void> {
    this.hangUp();
    this.qmp.close();
    await this.#qemu.close();
  }

  /** What the guest wrote to its console and what QEMU printed, for the message of a failure. */
  account(): string {
    return this.#before + this.#qemu.account();
  }
  /** Of QEMU, for measurements. */
  get processId(): number {
    return this.#qemu.processId;
  }
  /** What the guest wrote to its console so far. */
  get console(): string {
    return this.#qemu.console;
  }
}
