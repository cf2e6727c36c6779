import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { VirtioDevice } from "../../../src/runtime/index.js";
import { serve, type ServeOptions } from "../../../src/runtime/transport/vhost-user/index.js";
import type { GuestCommands } from "./guest-commands.js";
import { Guest, type GuestOptions } from "./guest.js";

/** The guest of a suite, while its tests run. */
export interface SuiteGuest<Started extends GuestCommands = Guest> {
  readonly guest: Started;
  /** What front ends did wrong, which none should: each is cut off for it or reported. */
  readonly problems: readonly string[];
}

/**
 * Serves devices and boots QEMU with them, once for all tests of the suite that this is called in. The console of the
 * guest is printed after a test that failed.
 * @param options Told the paths of the sockets where the devices are.
 * @param serving How all of them are served.
 */
export function guestWith(
  devices: readonly VirtioDevice[],
  options: (...sockets: readonly string[]) => GuestOptions,
  serving: Partial<ServeOptions> = {},
): SuiteGuest {
  return servedTo(devices, (...sockets) => Guest.start(options(...sockets)), serving);
}

/**
 * As {@link guestWith}, for any guest: `start` boots it and is told the paths of the sockets.
 * @param serving How the devices are served.
 */
export function servedTo<Started extends GuestCommands>(
  devices: readonly VirtioDevice[],
  start: (...sockets: readonly string[]) => Promise<Started>,
  serving: Partial<ServeOptions> = {},
): SuiteGuest<Started> {
  let folder: string | undefined;
  const servers: Awaited<ReturnType<typeof serve>>[] = [];
  const problems: string[] = [];
  const note = (error: Error | undefined): void => {
    if (error !== undefined) problems.push(error.message);
  };
  let guest: Started | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "virtio-gen-served-"));
    const sockets: string[] = [];
    for (const [index, device] of devices.entries()) {
      const socket = join(folder, `device-${index}`);
      servers.push(await serve(device, { ...serving, socket, onError: note, onDisconnect: note }));
      sockets.push(socket);
    }
    try {
      guest = await start(...sockets);
    } catch (error) {
      if (error instanceof Error) error.message += ["", ...problems].join("\n");
      throw error;
    }
  }, 900_000);
  afterEach((context) => {
    if (context.task.result?.state === "fail") {
      console.error([...problems, guest?.account()].join("\n"));
    }
  });
  afterAll(async () => {
    await guest?.close();
    for (const server of servers) await server.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  return {
    problems,
    get guest() {
      if (guest === undefined) throw new Error("the guest has not been started");
      return guest;
    },
  };
}
