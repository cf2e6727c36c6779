import { CommonFeature, DeviceStatus, type DriverTransport } from "../runtime/index.js";
import { PciDriverTransport } from "../runtime/transport/pci/index.js";
import { promptWork, type Work } from "./device-work.js";
import { inFlightChecks } from "./in-flight-checks.js";
import {
  driverOk,
  eventually,
  negotiateOnly,
  pause,
  ProbeQueue,
  resetAndWait,
  SPLIT,
  type RingForm,
} from "./probe-queue.js";
import type { CheckResult } from "./report.js";
import { fail, Findings, notChecked, pass, passIf, resetChecks, type CheckId, type Finding } from "./reset-checks.js";

/** The device under test. */
export interface Subject {
  readonly transport: DriverTransport;
  readonly kind: "pci" | "mmio";
  readonly queueSizes: readonly number[];
  /** Features, by bit. */
  readonly offered: ReadonlySet<number>;
  /** Makes requests take long, so that they stay in flight. False if that is not possible. */
  slowDown(): Promise<boolean>;
  /** Ends that. */
  speedUp(): Promise<void>;
}

const NOTHING = new Uint8Array(0);
const NOT_EVEN_IDLE = "not even an idle queue can be reset";
const IDLE: readonly CheckId[] = ["others", "default", "vector", "resize", "serves", "again", "twice", "missing"];
const IN_FLIGHT: readonly CheckId[] = ["in-flight", "untouched", "quiet", "others-busy", "fresh"];

/** Forms of a ring that are looked at besides the plainest one. */
const variants: readonly { readonly id: CheckId; readonly form: RingForm; readonly needs: readonly number[] }[] = [
  { id: "event_idx", form: { ...SPLIT, eventIdx: true }, needs: [CommonFeature.EVENT_IDX] },
  { id: "indirect", form: { ...SPLIT, indirect: true }, needs: [CommonFeature.INDIRECT_DESC] },
  { id: "packed", form: { ...SPLIT, packed: true }, needs: [CommonFeature.RING_PACKED] },
  {
    id: "packed-all",
    form: { ...SPLIT, packed: true, eventIdx: true, indirect: true },
    needs: [CommonFeature.RING_PACKED, CommonFeature.EVENT_IDX, CommonFeature.INDIRECT_DESC],
  },
];

/**
 * The checks of per-queue reset (VIRTIO 1.4, 2.6.1), on queue 0 mostly. The device is reset before each group of them, and at
 * the end. What only a driver knows (g) cannot be seen from outside.
 */
export async function queueResetSuite(subject: Subject): Promise<CheckResult[]> {
  const found = new Findings();
  const all = Object.keys(resetChecks) as CheckId[];
  if (!subject.offered.has(CommonFeature.RING_RESET)) {
    found.setRest(all, { verdict: "not offered", seen: "RING_RESET" });
    return found.results(subject.kind);
  }
  if (await idleChecks(subject, found, SPLIT)) {
    await edgeChecks(subject, found);
    await inFlightChecks(subject, found, SPLIT);
    for (const { id, form, needs } of variants) {
      const isOffered = needs.every((bit) => subject.offered.has(bit));
      found.set(id, isOffered ? await variantCheck(subject, form) : { verdict: "not offered", seen: "" });
    }
    found.set("unnegotiated", await unnegotiatedCheck(subject));
  }
  found.setRest(all, notChecked(NOT_EVEN_IDLE));
  await subject.transport.setStatus(0);
  return found.results(subject.kind);
}

/** The checks of one form of ring, in one row. */
async function variantCheck(subject: Subject, form: RingForm): Promise<Finding> {
  const found = new Findings();
  if (await idleChecks(subject, found, form)) await inFlightChecks(subject, found, form);
  const failed = (["idle", ...IDLE, ...IN_FLIGHT] as const).flatMap((id) => {
    const finding = found.get(id);
    return finding?.verdict === "fail" ? [`${id}: ${finding.seen}`] : [];
  });
  if (failed.length > 0) return fail(failed.join("; "));
  return pass(found.get("in-flight")?.verdict === "pass" ? "" : "idle queues");
}

/** False if nothing more can be checked. */
async function idleChecks(subject: Subject, found: Findings, form: RingForm): Promise<boolean> {
  const { transport, queueSizes } = subject;
  await negotiateOnly(transport, [CommonFeature.RING_RESET], form);
  const most = Math.min(queueSizes[0] ?? 0, 64);
  const first = await ProbeQueue.enable(transport, 0, most, form);
  const works = promptWork(transport);
  const work = works.find(({ queue }) => queue > 0 && (queueSizes[queue] ?? 0) > 0);
  const index = work?.queue ?? 1;
  const otherSize = Math.min(queueSizes[index] ?? 0, 64);
  const other = otherSize === 0 ? undefined : await ProbeQueue.enable(transport, index, otherSize, form);
  await driverOk(transport);

  // What is not served without a reset says nothing about one.
  const served = await isServed(
    first,
    works.find(({ queue }) => queue === 0),
  );
  const otherServed = other !== undefined && (await isServed(other, work));
  if (otherServed) other.post(work?.readable ?? NOTHING, work?.writable ?? [], true);
  const idle = await resetAndWait(transport, 0);
  found.set("idle", passIf(idle.isComplete, `${idle.seen}, 2 s later`));
  if (!idle.isComplete) return false;

  if (other === undefined) found.set("others", notChecked("it has one queue"));
  else if (!(await transport.queueEnabled(index))) found.set("others", fail(`queue ${String(index)} is disabled, too`));
  else if (!otherServed || work === undefined) found.set("others", pass(`queue ${String(index)} is still enabled`));
  else {
    other.post(work.readable, work.writable, true);
    const isDone = await eventually(() => Promise.resolve(other.used() === 3));
    found.set("others", isDone ? pass(`queue ${String(index)} serves`) : fail(`queue ${String(index)} stands still`));
  }
  await initialStateChecks(subject, found);
  const again = await resetAndWait(transport, 0);
  found.set("again", passIf(again.isComplete, again.seen));
  const smaller = Math.max(2, most / 4);
  try {
    const fresh = await ProbeQueue.enable(transport, 0, smaller, form);
    // Over MMIO the size that is in force cannot be read.
    const size = transport instanceof PciDriverTransport ? await transport.queueSize(0) : smaller;
    found.set("resize", { ...passIf(size === smaller, ""), seen: `${String(most)} -> ${String(size)}` });
    found.set("serves", served ? await servesCheck(transport, fresh) : notChecked("queue 0 has nothing to do"));
  } catch (error) {
    found.set("resize", fail(messageOf(error)));
    found.set("serves", notChecked("it is not enabled again"));
  }
  await transport.resetQueue(0);
  const twice = await resetAndWait(transport, 0);
  found.set("twice", passIf(twice.isComplete && (await isHealthy(transport)), twice.seen));
  await ProbeQueue.enable(transport, 0, smaller, form);
  await transport.resetQueue(queueSizes.length);
  const isFine = (await isHealthy(transport)) && (await transport.queueEnabled(0));
  found.set("missing", passIf(isFine, "the device needs a reset, or queue 0 was disabled"));
  return true;
}

/** Whether a device does some work that it is given, before any reset. */
async function isServed(queue: ProbeQueue, work: Work | undefined): Promise<boolean> {
  if (work === undefined) return false;
  queue.post(work.readable, work.writable, true);
  return await eventually(() => Promise.resolve(queue.used() === 1));
}

/** What the registers of a queue read after its reset. */
async function initialStateChecks({ transport, queueSizes }: Subject, found: Findings): Promise<void> {
  if (!(transport instanceof PciDriverTransport)) {
    found.set("default", notChecked("it cannot be read over MMIO"));
    found.set("vector", notChecked("there are none over MMIO"));
    return;
  }
  const size = await transport.queueSize(0);
  found.set("default", passIf(size === queueSizes[0], `queue_size reads ${String(size)}`));
  if (!transport.usesMessages) {
    found.set("vector", notChecked("it has an interrupt line"));
    return;
  }
  const vector = await transport.queueVector(0);
  found.set("vector", passIf(vector === 0xffff, `queue_msix_vector reads ${String(vector)}`));
}

/** Each buffer of the new ring comes back, from the first one on. */
async function servesCheck(transport: DriverTransport, queue: ProbeQueue): Promise<Finding> {
  const work = promptWork(transport).find((one) => one.queue === 0);
  if (work === undefined) return notChecked("queue 0 has nothing to do");
  let notifications = 0;
  transport.onQueueUsed = (index) => {
    if (index === 0) notifications++;
  };
  const count = 3;
  for (let i = 0; i < count; i++) {
    queue.post(work.readable, work.writable, true);
    if (!(await eventually(() => Promise.resolve(queue.used() === i + 1)))) break;
  }
  await eventually(() => Promise.resolve(notifications > 0));
  transport.onQueueUsed = undefined;
  const used = queue.used();
  if (queue.broken !== undefined) return fail(queue.broken);
  return passIf(used === count && notifications > 0, `${String(used)} of 3 used, ${String(notifications)} interrupts`);
}

/** Resets at times and of queues that are out of the ordinary. */
async function edgeChecks({ transport, queueSizes }: Subject, found: Findings): Promise<void> {
  await negotiateOnly(transport, [CommonFeature.RING_RESET], SPLIT);
  await ProbeQueue.enable(transport, 0, Math.min(queueSizes[0] ?? 0, 64), SPLIT);
  const early = await resetAndWait(transport, 0);
  found.set("early", passIf(early.isComplete, early.seen));

  await negotiateOnly(transport, [CommonFeature.RING_RESET], SPLIT);
  await driverOk(transport);
  const unconfigured = await resetAndWait(transport, 0);
  found.set("unconfigured", passIf(unconfigured.isComplete && (await isHealthy(transport)), unconfigured.seen));

  await negotiateOnly(transport, [CommonFeature.RING_RESET], SPLIT);
  const count = Math.min(queueSizes.length, 16);
  for (let index = 0; index < count; index++) {
    await ProbeQueue.enable(transport, index, Math.min(queueSizes[index] ?? 0, 16), SPLIT);
  }
  await driverOk(transport);
  const wrong: string[] = [];
  for (let index = 0; index < count; index++) {
    const { isComplete, seen } = await resetAndWait(transport, index);
    if (!isComplete) {
      wrong.push(`queue ${String(index)}: ${seen}`);
      continue;
    }
    await ProbeQueue.enable(transport, index, Math.min(queueSizes[index] ?? 0, 8), SPLIT);
    if (!(await transport.queueEnabled(index))) wrong.push(`queue ${String(index)} stays disabled`);
  }
  found.set("every", wrong.length === 0 ? pass(`${String(count)} of them`) : fail(wrong.join("; ")));
}

async function unnegotiatedCheck({ transport, queueSizes }: Subject): Promise<Finding> {
  await negotiateOnly(transport, [], SPLIT);
  await ProbeQueue.enable(transport, 0, Math.min(queueSizes[0] ?? 0, 64), SPLIT);
  await driverOk(transport);
  await transport.resetQueue(0);
  await pause(20);
  return passIf(await transport.queueEnabled(0), "the queue was reset all the same");
}

async function isHealthy(transport: DriverTransport): Promise<boolean> {
  return ((await transport.getStatus()) & DeviceStatus.NEEDS_RESET) === 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
