import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi, type MockInstance } from "vitest";
import { FeatureSet } from "../../../src/runtime/index.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { Session } from "../../../src/runtime/transport/vhost-user/back-end/session.js";
import { ProtocolFeature } from "../../../src/runtime/transport/vhost-user/protocol/index.js";
import { diskWorkers } from "../../../src/serve/image-disk-workers.js";
import { openImageDisk } from "../../../src/serve/image-disk.js";
import { withFolder } from "../qemu/machine.js";
import { until } from "../qemu/until.js";
import { requireGuest, withGuest, type Guest } from "./guest.js";
import { BLOCK } from "./moving-disk.js";
import { within } from "./within.js";

const offered = vi.hoisted(() => ({ withSlots: true }));
vi.mock(
  import("../../../src/runtime/transport/vhost-user/back-end/offered-protocol-features.js"),
  async (importOriginal) => {
    const { offeredProtocolFeatures } = await importOriginal();
    return {
      offeredProtocolFeatures: (...about) => {
        const slots = offered.withSlots ? [] : [ProtocolFeature.CONFIGURE_MEM_SLOTS];
        return offeredProtocolFeatures(...about).without(FeatureSet.of(slots));
      },
    };
  },
);

const MIB = 1 << 20;
/** Blocks that are written and read all the time, and blocks behind them that are read once. */
const BUSY = 1024;
const HELD = 3072;
const DEPTH = 16;
const MOST_MEMORY = 2048;
/** Of what is plugged to stay, for the kernel, and of what comes and goes, in MiB. No other memory is of these sizes. */
const STAYING = 384;
const PASSING = 128;
/** Where QEMU puts the one, and the other behind it. */
const STAYING_AT = 2 ** 32;
const PASSING_AT = STAYING_AT + STAYING * MIB;
/** Linux has it in blocks of 128 MiB. */
const blockAt = (address: number): string => `/sys/devices/system/memory/memory${address / (128 * MIB)}`;
/** For how long Linux may take to empty the memory and give it back, in seconds. */
const UNPLUG_PATIENCE = 300;

/** Which requests say what memory there is. */
const WAYS = [
  { way: "memory slots", offersSlots: true, added: ["ADD_MEM_REG"], removed: ["REM_MEM_REG"] },
  { way: "tables", offersSlots: false, added: ["SET_MEM_TABLE"], removed: ["SET_MEM_TABLE"] },
];
const PLACES = [
  { place: "in the main thread", workers: 0 },
  { place: "in a Worker", workers: 1 },
];

const hasGuest = await requireGuest();

const suite = describe.runIf(hasGuest);
suite("Linux's disk while memory is plugged into the machine and taken out again", () => {
  const handle = vi.spyOn(Session.prototype, "handle").mockName("handle");
  /** Requests about memory since the last look, in the order in which they came. */
  const requests = (): string[] => {
    const names = handle.mock.calls.map(([{ name }]) => name).filter((name) => /_MEM_(TABLE|REG)$/.test(name));
    handle.mockClear();
    return names;
  };
  afterAll(() => handle.mockRestore());

  const cases = PLACES.flatMap((place) => WAYS.map((way) => ({ ...place, ...way })));
  it.each(cases)(
    "goes on and uses it, served $place, told by $way",
    { timeout: 900_000 },
    async ({ workers, ...way }) => {
      offered.withSlots = way.offersSlots;
      await withDisk(workers, async ({ devices, served, sha256 }) => {
        const options = { devices, modules: ["virtio_blk"], mostMemory: MOST_MEMORY };
        await withGuest(options, async (guest) => {
          await guest.run("echo none >/sys/block/vda/queue/scheduler");
          expect(ringOf(handle)).toBeLessThan(STAYING_AT);
          const filling = guest.run(`write-storm write /dev/vda ${BUSY + HELD} 1 64 1`);
          filling.catch(() => undefined);
          requests();
          await plug(guest, "staying", STAYING, "online_kernel");
          expect(requests()).toEqual(way.added);
          await guest.until(`grep -q online ${blockAt(PASSING_AT - 128 * MIB)}/state`);
          await filling;
          // The kernel takes new memory first, also for the rings of a driver that starts anew.
          const drivers = "/sys/bus/virtio/drivers/virtio_blk";
          const name = await guest.run("basename $(readlink -f /sys/block/vda/device)");
          await guest.run(`echo ${name} >${drivers}/unbind; echo ${name} >${drivers}/bind`);
          await guest.until("[ -b /dev/vda ] && echo none >/sys/block/vda/queue/scheduler");
          expect(ringOf(handle)).toBeGreaterThanOrEqual(STAYING_AT);

          const before = holdings();
          const first = storm(guest, "/tmp/first");
          let last = served();
          await until(() => served() > last + 100, 300);
          requests();
          // Movable: the kernel keeps nothing there that it could not move away again.
          await plug(guest, "passing", PASSING, "online_movable");
          expect(requests()).toEqual(way.added);
          expect(mappingsOf(PASSING)).toHaveLength(1);
          await guest.until(`grep -q online ${blockAt(PASSING_AT)}/state`);
          last = served();
          await until(() => served() > last + 100, 300);

          const held = guest.attempt(`held-reads /dev/vda ${BUSY} ${HELD} 1 /tmp/held`, 600);
          held.catch(() => undefined);
          await guest.until("[ -e /tmp/held.filled ]");
          expect(await pagesInPassing(guest, "held-reads")).toBeGreaterThanOrEqual(HELD);
          await guest.run("touch /tmp/held.read; touch /tmp/held.check");
          expect((await held).output).toBe(`${HELD} of ${HELD} blocks`);
          // What is present in our process of a file that we share is what we have touched.
          const [touched = 0] = mappingsOf(PASSING);
          expect(touched).toBeGreaterThanOrEqual(HELD * BLOCK);
          await first();

          const second = storm(guest, "/tmp/second");
          last = served();
          await until(() => served() > last + 100, 300);
          expect(await pagesInPassing(guest, "write-storm")).toBeGreaterThanOrEqual(DEPTH);
          requests();
          await unplug(guest);
          expect(requests()).toEqual(way.removed);
          expect(mappingsOf(PASSING)).toEqual([]);
          await guest.run(`[ ! -e ${blockAt(PASSING_AT)} ]`);
          await guest.qmp.execute("object-del", { id: "passing" });
          last = served();
          await until(() => served() > last + 100, 300);
          await second();
          expect(holdings()).toEqual(before);

          expect(await guest.run("echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/vda")).toBe(`${sha256()}  -`);
          await guest.powerOff();
        });
      });
    },
  );
});

interface ServedImage {
  /** For QEMU's command line. */
  readonly devices: readonly string[];
  /** Requests that it was asked for. */
  readonly served: () => number;
  /** Of the image, in hexadecimal. */
  readonly sha256: () => string;
}

/** Serves a new image while `work` goes on. Fails if the back end complains. */
async function withDisk(workers: number, work: (disk: ServedImage) => Promise<void>): Promise<void> {
  const problems: string[] = [];
  const note = (error: Error | undefined): void => {
    if (error !== undefined) problems.push(error.message);
  };
  await withFolder(async (folder) => {
    const [image, socket] = [join(folder, "image"), join(folder, "socket")];
    writeFileSync(image, "");
    truncateSync(image, (BUSY + HELD) * BLOCK);
    const options = { path: image, onError: note };
    const disk = openImageDisk(options);
    const spread = workers === 0 ? undefined : diskWorkers(workers, options);
    const serving = { socket, onError: note, onDisconnect: note, ...(spread && { workers: spread.workers }) };
    const server = await serve(disk.device, serving);
    try {
      await work({
        devices: ["-chardev", `socket,id=disk,path=${socket}`, "-device", "vhost-user-blk-pci,chardev=disk"],
        served: () => (spread ?? disk).served,
        sha256: () => createHash("sha256").update(readFileSync(image)).digest("hex"),
      });
    } finally {
      await server.close();
      await disk.close();
    }
  });
  expect(problems).toEqual([]);
}

/** Writes and reads back until it is told to end, which fails unless all was right. */
function storm(guest: Guest, stop: string): () => Promise<void> {
  const command = `write-storm check /dev/vda ${BUSY} 1000000 ${DEPTH} 1 ${stop}`;
  const storming = guest.attempt(command, 2 * UNPLUG_PATIENCE);
  storming.catch(() => undefined);
  return async () => {
    await guest.until(`touch ${stop}`);
    const { output, status } = await storming;
    expect(output).toMatch(new RegExp(`^(\\d+) written, \\1 read back, 0 errors, ${BUSY} blocks as written$`));
    expect(status).toBe(0);
  };
}

/** Pages of a program that lie in the memory that comes and goes. */
async function pagesInPassing(guest: Guest, program: string): Promise<number> {
  return Number(await guest.run(`pages-above ${PASSING_AT} $(pidof ${program})`));
}

/** Plugs memory of so many MiB. @param use What Linux is to do with it. */
async function plug(guest: Guest, name: string, size: number, use: string): Promise<void> {
  await guest.run(`echo ${use} >/sys/devices/system/memory/auto_online_blocks`);
  const backEnd = { "qom-type": "memory-backend-memfd", id: name, size: size * MIB, share: true };
  await guest.qmp.execute("object-add", backEnd);
  await guest.qmp.execute("device_add", { driver: "pc-dimm", id: `${name}-module`, memdev: name });
}

/** Takes the memory that comes and goes out; done when the guest has let go of it. */
async function unplug(guest: Guest): Promise<void> {
  const ask = (): Promise<unknown> => guest.qmp.execute("device_del", { id: "passing-module" });
  const gone = new Promise<void>((resolve, reject) => {
    guest.qmp.onEvent(({ event, data }) => {
      const device = typeof data === "object" && data !== null && "device" in data ? data.device : undefined;
      if (event === "DEVICE_DELETED" && device === "passing-module") resolve();
      // One page that is in use just then is reason enough for Linux to keep all of it.
      if (event === "MEM_UNPLUG_ERROR") ask().catch(reject);
    });
  });
  gone.catch(() => undefined);
  await ask();
  await within(UNPLUG_PATIENCE, "the guest does not let go of the memory", gone);
}

/** Of each mapping of a guest's memory of so many MiB, the bytes that this process has touched. */
function mappingsOf(size: number): number[] {
  const text = readFileSync("/proc/self/smaps", "utf8");
  const pattern = new RegExp(
    `memory-backend-memfd[^\\n]*\\nSize: +${size * 1024} kB\\n(?:.*\\n)*?Rss: +(\\d+) kB`,
    "g",
  );
  return [...text.matchAll(pattern)].map(([, kilobytes]) => 1024 * Number(kilobytes));
}

/** The guest address of the descriptors of the session's ring. */
function ringOf({ mock }: MockInstance<Session["handle"]>): number {
  const session = mock.contexts.at(-1);
  if (!(session instanceof Session)) throw new Error("the front end has not asked for anything");
  return session.rings.at(0).addresses(session.regions, false).descriptor;
}

/** What of guests this process holds: how many open files of each kind, and mappings of memory. */
function holdings(): { readonly files: readonly string[]; readonly mappings: readonly string[] } {
  const files = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)].filter((name) => /memfd|eventfd|socket/.test(name));
    } catch {
      // The one with which the folder was read.
      return [];
    }
  });
  const mappings = readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes("memfd"));
  return { files: files.sort(), mappings };
}
