import { gunzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { BalloonFeature } from "../../../generated/balloon.js";
import { until } from "../qemu/until.js";
import { PAGE, type CountedBalloon } from "./counted-balloon.js";
import { PATIENCE, type V86Session } from "./v86-session.js";

const MIB = 1 << 20;
const DRIVER = "/sys/bus/virtio/drivers/virtio_balloon";
/** Linux's KPF_OFFLINE in /proc/kpageflags: pages that are in the balloon. */
const KPF_OFFLINE = 1 << 23;
/** Of Linux's allocator: blocks of so many pages are reported. With the usual 10, a machine of 128 MiB never has enough of them. */
const REPORTED_ORDER = 7;
/** Pages of a hint: the largest block of Linux's allocator. */
const HINT = (4 * MIB) / PAGE;

/** Tests of Linux's virtio_balloon. `poison`: what Linux fills free pages with, if it does. */
export function judgeBalloon(session: V86Session, balloon: CountedBalloon, poison: number | undefined): void {
  const { device } = balloon;
  beforeAll(async () => {
    const order = "/sys/module/page_reporting/parameters/page_reporting_order";
    await session.guest.run(`modprobe virtio_balloon && echo ${REPORTED_ORDER} >${order}`, PATIENCE);
  }, 3000 * PATIENCE);

  /** A line of /proc/meminfo, in bytes. */
  async function meminfo(name: string): Promise<number> {
    return 1024 * Number(await session.guest.run(`awk '/^${name}:/ { print $2 }' /proc/meminfo`));
  }
  async function vmstat(name: string): Promise<number> {
    return Number(await session.guest.run(`awk '/^${name} / { print $2 }' /proc/vmstat`));
  }
  /** Page numbers of the balloon as Linux has them. */
  async function offlinePages(): Promise<readonly number[]> {
    const { bytes } = await session.guest.attempt("gzip -c </proc/kpageflags", PATIENCE);
    const flags = gunzipSync(bytes);
    expect(flags.length).toBeGreaterThanOrEqual((120 * MIB) / PAGE);
    return Array.from({ length: flags.length / 8 }, (_, page) => page).filter(
      (page) => (flags.readUInt32LE(8 * page) & KPF_OFFLINE) !== 0,
    );
  }
  /** Asks for this many pages, and waits until the driver says that they are there. */
  async function resize(pages: number): Promise<void> {
    device.config.numPages = pages;
    await until(() => balloon.actual === pages, PATIENCE);
  }
  async function expectAgreement(pages: number): Promise<void> {
    expect(balloon.pages.size).toBe(pages);
    expect(await offlinePages()).toEqual([...balloon.pages].sort((left, right) => left - right));
    expect(balloon.mistakes).toEqual([]);
  }

  it("is taken with all features; poison is for a kernel that fills free pages", async () => {
    const bits = await session.guest.run(`cat ${DRIVER}/virtio*/features`);
    for (const [name, bit] of Object.entries(BalloonFeature)) {
      const isExpected = name !== "PAGE_POISON" || poison !== undefined;
      expect([name, bits[bit]]).toEqual([name, isExpected ? "1" : "0"]);
      expect([name, device.negotiated.has(bit)]).toEqual([name, isExpected]);
    }
    expect(balloon.poison).toBe(poison);
    if (poison !== undefined) expect(device.config.poisonVal).toBe(poison * 0x0101_0101);
  });

  it("gives the pages that it is asked for and takes them back; both sides know which", async () => {
    const [free, inflated] = [await meminfo("MemFree"), await vmstat("balloon_inflate")];
    await resize(4096);
    await expectAgreement(4096);
    expect(balloon.inflated).toBe((await vmstat("balloon_inflate")) - inflated);
    expect(free - (await meminfo("MemFree"))).toBeGreaterThan(14 * MIB);
    await resize(1000);
    await expectAgreement(1000);
    await resize(1500);
    await expectAgreement(1500);
    await resize(0);
    await expectAgreement(0);
    expect([balloon.inflated, balloon.deflated]).toEqual([4596, 4596]);
    expect(free - (await meminfo("MemFree"))).toBeLessThan(4 * MIB);
  });

  it("says again and again how its memory is used", async () => {
    const faults: number[] = [];
    const frees: number[] = [];
    for (const pages of [0, 4096, 0]) {
      await resize(pages);
      const statistics = await balloon.statistics();
      const of = (name: Parameters<typeof statistics.get>[0]): number => statistics.get(name) ?? -1;
      const near = async (name: Parameters<typeof statistics.get>[0], line: string): Promise<void> =>
        expect(Math.abs(of(name) - (await meminfo(line)))).toBeLessThan(2 * MIB);
      expect([...statistics.keys()].sort()).toEqual(
        ["SWAP_IN", "SWAP_OUT", "MAJFLT", "MINFLT", "MEMFREE", "MEMTOT", "AVAIL", "CACHES", "HTLB_PGALLOC", "HTLB_PGFAIL"].sort(),
      ); // prettier-ignore
      expect(of("MEMTOT")).toBe(await meminfo("MemTotal"));
      await near("MEMFREE", "MemFree");
      await near("AVAIL", "MemAvailable");
      // What files and file systems in memory take is in this line.
      await near("CACHES", "Cached");
      expect([of("SWAP_IN"), of("SWAP_OUT"), of("HTLB_PGALLOC")]).toEqual([0, 0, 0]);
      faults.push(of("MINFLT"));
      frees.push(of("MEMFREE"));
    }
    // Each command is a process, which has faults.
    expect(faults).toEqual([...faults].sort((left, right) => left - right));
    expect(new Set(faults).size).toBe(3);
    expect(frees[0]).toBeGreaterThan((frees[1] ?? 0) + 14 * MIB);
    expect(frees[2]).toBeGreaterThan((frees[1] ?? 0) + 12 * MIB);
  });

  it("reports free pages, whose contents are lost then, and keeps all others", async () => {
    const { guest } = session;
    const sum = await guest.run("head -c 3000000 /dev/urandom >/tmp/kept && sha256sum </tmp/kept", PATIENCE);
    for (let round = 0; round < 2; round++) {
      const before = balloon.reported;
      // Memory that is used and free again is reported anew.
      await guest.run("dd if=/dev/zero of=/dev/null bs=24M count=1 2>/dev/null", PATIENCE);
      await until(() => balloon.reported >= before + (8 * MIB) / PAGE, PATIENCE);
      expect(await guest.run("sha256sum </tmp/kept", PATIENCE)).toBe(sum);
    }
    // All zeroes, though the host had written to what it is in.
    await guest.run("rm /tmp/kept; dd if=/dev/zero of=/tmp/zeroes bs=1M count=16 2>/dev/null", PATIENCE);
    expect(await guest.run("tr -d '\\0' </tmp/zeroes | wc -c", PATIENCE)).toBe("0");
    await guest.run("rm /tmp/zeroes");
    expect(balloon.mistakes).toEqual([]);
  });

  it("hints at free pages when it is asked to, keeps them until it is told that all is done", async () => {
    const { guest } = session;
    const before = await meminfo("MemFree");
    balloon.startHints(7);
    await until(() => balloon.commands.at(-1) === "STOP", PATIENCE);
    expect(balloon.commands).toEqual([7, "STOP"]);
    const count = balloon.hinted.length;
    expect(count).toBeGreaterThan(0);
    for (const { first, count: pages } of balloon.hinted) expect([first % HINT, pages]).toEqual([0, HINT]);
    // They are nobody's for now.
    const kept = await meminfo("MemFree");
    expect(before - kept).toBeGreaterThan((count - 1) * HINT * PAGE);

    // A round that is stopped; the pages stay where they are. The next one finds what has become free since, if anything.
    device.config.freePageHintCmdId = "STOP";
    balloon.startHints(8);
    await until(() => balloon.commands.length === 4, PATIENCE);
    expect(balloon.commands).toEqual([7, "STOP", 8, "STOP"]);
    const now = await meminfo("MemFree");
    expect(now - kept).toBeLessThan(6 * MIB);
    expect(kept - now).toBeLessThan(balloon.hinted.length * HINT * PAGE + 6 * MIB);

    device.config.freePageHintCmdId = "DONE";
    await guest.until(`[ $(awk '/^MemFree:/ { print $2 }' /proc/meminfo) -gt ${(before - 6 * MIB) / 1024} ]`, PATIENCE);
    // A new round finds them free again.
    balloon.startHints(9);
    await until(() => balloon.commands.length === 6, PATIENCE);
    expect(balloon.hinted.length).toBeGreaterThan(0);
    device.config.freePageHintCmdId = "DONE";
    await guest.until(`[ $(awk '/^MemFree:/ { print $2 }' /proc/meminfo) -gt ${(before - 6 * MIB) / 1024} ]`, PATIENCE);
    expect(balloon.mistakes).toEqual([]);
  });

  it("takes pages back by itself when its memory runs out", async () => {
    const { guest } = session;
    const wanted = Math.floor(((await meminfo("MemFree")) - 24 * MIB) / PAGE);
    expect(wanted).toBeGreaterThan((20 * MIB) / PAGE);
    await resize(wanted);
    const before = balloon.deflated;
    await guest.run("dd if=/dev/zero of=/dev/null bs=40M count=1 2>/dev/null", PATIENCE);
    expect(balloon.deflated).toBeGreaterThan(before);
    await until(() => balloon.actual === balloon.pages.size, PATIENCE);
    expect(balloon.actual).toBeLessThan(wanted);
    await expectAgreement(balloon.actual);
    await resize(0);
    await expectAgreement(0);
  });

  it("lets go of all pages with its driver, and gives as many to the next", async () => {
    const { guest } = session;
    await resize(2048);
    const before = balloon.deflated;
    const name = await guest.run(`basename $(ls -d ${DRIVER}/virtio*)`);
    await guest.run(`echo ${name} >${DRIVER}/unbind`, PATIENCE);
    expect([balloon.pages.size, balloon.actual, balloon.deflated - before]).toEqual([0, 0, 2048]);
    expect(await offlinePages()).toEqual([]);
    await guest.run(`echo ${name} >${DRIVER}/bind`, PATIENCE);
    await until(() => balloon.actual === 2048, PATIENCE);
    await expectAgreement(2048);
    expect((await balloon.statistics()).get("MEMTOT")).toBe(await meminfo("MemTotal"));
    await resize(0);
    await expectAgreement(0);
    // Linux 6.1 notifies the queue for statistics as soon as it has it, which is before DRIVER_OK (3.1.1). Nothing is lost by it.
    const early = "notify-before-driver-ok: queue 2 (statsq): the device is not live [3.1 Device Initialization]";
    expect(balloon.problems).toEqual([early, early]);
  });
}
