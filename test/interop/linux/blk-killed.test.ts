import { createHash } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withFolder } from "../qemu/machine.js";
import { requireGuest, withGuest, type Guest } from "./guest.js";
import { GuestMemoryFile } from "./guest-memory.js";
import { SlowDiskProcess, type SlowDiskOptions, type SlowDiskReport } from "./slow-disk-process.js";
import { publishedBefore, WriteLedger } from "./write-ledger.js";

const KILLS = 5;
/** Writes that the guest keeps outstanding, and how many of them a back end leaves unanswered until it is killed. */
const DEPTH = 1024;
const HOLD = 1000;
const BLOCK = 4096;
const BLOCKS = 4096;
const ROUNDS = 3;
/** A back end is killed when it has given so many answers, in the middle of giving more. */
const ANSWERS = 200;
/** It gives no more, so that there are writes left for the last one, however late it is killed. */
const MOST_ANSWERS = 1500;

/** Indexes of all rings; undefined where they have none, as packed ones. */
function indexesOf(guest: Guest, report: SlowDiskReport, isPacked: boolean) {
  if (isPacked) return undefined;
  const memory = new GuestMemoryFile(guest.processId);
  try {
    return report.addresses.map((ring) => {
      if (ring === undefined) throw new Error("a ring does not run");
      return memory.indexes(ring);
    });
  } finally {
    memory.close();
  }
}

const cases = [
  { name: "four split queues", queues: 4, queueSize: 256, isPacked: false },
  { name: "a packed queue", queues: 1, queueSize: 1024, isPacked: true },
] as const;

const suite = describe.runIf(await requireGuest());
suite.each(cases)("Linux's disk whose back end is killed: $name", ({ queues, queueSize, isPacked }) => {
  const title = `sees each of ${BLOCKS * ROUNDS} writes succeed once, though ${KILLS} times ${HOLD} are outstanding`;
  it(title, { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const image = join(folder, "image");
      writeFileSync(image, "");
      truncateSync(image, BLOCKS * BLOCK);
      const options: SlowDiskOptions = {
        ...{ socket: join(folder, "socket"), image, journal: join(folder, "journal") },
        ...{ queues, queueSize, isPacked, hold: 2 * DEPTH },
      };
      let back = await SlowDiskProcess.start(options);
      let next: SlowDiskProcess | undefined;
      try {
        await back.serve();
        const properties = `num-queues=${queues},queue-size=${queueSize},packed=${isPacked ? "on" : "off"}`;
        const devices = [
          ...["-chardev", `socket,id=disk,path=${options.socket},reconnect=1`],
          ...["-device", `vhost-user-blk-pci,chardev=disk,${properties}`],
        ];
        await withGuest({ devices, modules: ["virtio_blk"], processors: queues }, async (guest) => {
          const queue = "/sys/block/vda/queue";
          await guest.run(`echo none >${queue}/scheduler; echo 2 >${queue}/nomerges`);
          expect(await guest.run("cat /sys/block/vda/size")).toBe(String((BLOCKS * BLOCK) / 512));
          let before = indexesOf(guest, await back.report(), isPacked);
          let life = back.journal();
          let read = life.length;
          const ledger = new WriteLedger(life);
          const storm = guest.attempt(`write-storm write /dev/vda ${BLOCKS} ${ROUNDS} ${DEPTH} ${queues}`, 600);
          storm.catch(() => undefined);
          for (let kill = 1; kill <= KILLS; kill++) {
            next = await SlowDiskProcess.start(options);
            back.hold(HOLD, MOST_ANSWERS);
            const report = await back.reported((now) => now.answered >= ANSWERS && now.waiting >= HOLD, 300);
            expect(report.problems).toEqual([]);
            await back.kill();
            const after = indexesOf(guest, report, isPacked);
            life = back.journal().slice(read);
            read += life.length;
            back = next;
            next = undefined;
            const wholeJournal = back.journal();
            await back.serve();
            let counts = after?.map(({ used }, index) => (used - (before?.[index]?.used ?? 0)) & 0xffff);
            if (counts === undefined) {
              await back.reported((now) => now.waiting >= HOLD, 300);
              counts = [publishedBefore(life, back.journal().slice(read))];
            }
            ledger.close(wholeJournal, counts);
            expect(ledger.outstanding).toBeGreaterThanOrEqual(HOLD);
            before = after;
          }
          back.hold(0);
          const { status, output } = await storm.catch(async (error: unknown) => {
            throw new Error(`the back end: ${JSON.stringify(await back.report())}`, { cause: error });
          });
          expect(output).toBe(`${BLOCKS * ROUNDS} written, 0 read back, 0 errors, ${BLOCKS} blocks as written`);
          expect(status).toBe(0);
          const report = await back.report();
          expect(report.problems).toEqual([]);
          const last = indexesOf(guest, report, isPacked);
          for (const { available, used } of last ?? []) expect(used).toBe(available);
          const journal = back.journal();
          const counts = last?.map(({ used }, index) => (used - (before?.[index]?.used ?? 0)) & 0xffff);
          const answers = journal.slice(read).filter(({ word }) => word === "answered").length;
          ledger.close(journal, counts ?? [answers]);
          expect(ledger.outstanding).toBe(0);
          expect(ledger.published.size).toBe(BLOCKS * ROUNDS);
          const sum = createHash("sha256").update(readFileSync(image)).digest("hex");
          expect(await guest.run("sha256sum </dev/vda")).toBe(`${sum}  -`);
          // Linux says so when something is answered that it did not ask for, and when a write fails.
          expect(await guest.run("dmesg -r | grep -E '^<[0-4]>.*(vda|virtio|I/O)' || true")).toBe("");
          await guest.powerOff();
        });
      } finally {
        await back.kill();
        await next?.kill();
      }
    });
  });
});
