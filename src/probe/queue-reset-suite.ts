import { CommonFeature, DeviceStatus, type DriverTransport } from "../runtime/index.js";
import { PciDriverTransport } from "../runtime/transport/pci/index.js";
import { driverOk, negotiateOnly, pause, ProbeQueue, resetAndWait } from "./probe-queue.js";
import type { CheckResult, Verdict } from "./report.js";

/** The device under test. */
export interface Subject {
  readonly transport: DriverTransport;
  readonly kind: "pci" | "mmio";
  readonly queueSizes: readonly number[];
  readonly isOffered: boolean;
  /** Makes requests take long, so that they stay in flight. False if that is not possible. */
  slowDown(): Promise<boolean>;
}

const DEVICE_CLAUSE = "2.6.1.1";
const checks = {
  idle: { title: "resets an idle queue", clause: DEVICE_CLAUSE },
  others: { title: "leaves the other queues enabled", clause: DEVICE_CLAUSE },
  resize: { title: "is enabled again with another size and other addresses", clause: "2.6.1" },
  again: { title: "resets a queue that is reset already", clause: DEVICE_CLAUSE },
  missing: { title: "survives the reset of a queue that it does not have", clause: DEVICE_CLAUSE },
  "in-flight": { title: "completes a reset with buffers in flight (a)", clause: DEVICE_CLAUSE },
  untouched: { title: "leaves the old ring and its buffers alone (b)", clause: DEVICE_CLAUSE },
  quiet: { title: "does not notify for them (c)", clause: DEVICE_CLAUSE },
  fresh: { title: "puts nothing old into the new ring (f)", clause: DEVICE_CLAUSE },
  unnegotiated: { title: "ignores the register if the feature was not negotiated (h)", clause: "" },
} as const;
type CheckId = keyof typeof checks;

const NOT_EVEN_IDLE = "not even an idle queue can be reset";
/** Requests in flight, and how long they may take when they are slow, in milliseconds. */
const REQUESTS = 8;
const PATIENCE = 2000;
const BLK = 2;
/** Devices whose queue 0 holds buffers until something happens. */
const RECEIVES_ON_QUEUE_0: ReadonlySet<number> = new Set([1, 3, 18, 19]);

/** The checks of per-queue reset (VIRTIO 1.4, 2.6.1), on queue 0. The device is reset before each, and at the end. */
export async function queueResetSuite(subject: Subject): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const report = (id: CheckId, verdict: Verdict, seen = ""): void => {
    const { title, clause } = checks[id];
    const registers = subject.kind === "pci" ? "4.1.4.3" : "4.2.2";
    results.push({ id: `queue-reset.${id}`, title, clause: clause === "" ? registers : clause, verdict, seen });
  };
  if (!subject.isOffered) {
    for (const id of Object.keys(checks) as CheckId[]) report(id, "not offered", "RING_RESET");
    return results;
  }
  const works = await idleChecks(subject, report);
  if (works) await inFlightChecks(subject, report);
  else {
    for (const id of ["in-flight", "untouched", "quiet", "fresh"] as const) {
      report(id, "not checked", NOT_EVEN_IDLE);
    }
  }
  if (works) await unnegotiatedCheck(subject, report);
  else report("unnegotiated", "not checked", NOT_EVEN_IDLE);
  await subject.transport.setStatus(0);
  return results;
}

type Report = (id: CheckId, verdict: Verdict, seen?: string) => void;

async function idleChecks({ transport, queueSizes }: Subject, report: Report): Promise<boolean> {
  await negotiateOnly(transport, [CommonFeature.RING_RESET]);
  const most = Math.min(queueSizes[0] ?? 0, 64);
  await ProbeQueue.enable(transport, 0, most);
  const other = (queueSizes[1] ?? 0) > 0 ? 1 : undefined;
  if (other !== undefined) await ProbeQueue.enable(transport, other, Math.min(queueSizes[other] ?? 0, 64));
  await driverOk(transport);

  const idle = await resetAndWait(transport, 0);
  report("idle", idle.isComplete ? "pass" : "fail", idle.isComplete ? "" : `${idle.seen}, 2 s later`);
  if (!idle.isComplete) {
    for (const id of ["others", "resize", "again", "missing"] as const) {
      report(id, "not checked", NOT_EVEN_IDLE);
    }
    return false;
  }
  if (other === undefined) report("others", "not checked", "it has one queue");
  else if (await transport.queueEnabled(other)) report("others", "pass");
  else report("others", "fail", "queue 1 is disabled, too");

  const again = await resetAndWait(transport, 0);
  report("again", again.isComplete ? "pass" : "fail", again.isComplete ? "" : again.seen);
  try {
    const smaller = Math.max(2, most / 4);
    await ProbeQueue.enable(transport, 0, smaller);
    // Over MMIO the size that is in force cannot be read.
    const size = transport instanceof PciDriverTransport ? await transport.queueSize(0) : smaller;
    const isRight = size === smaller;
    report("resize", isRight ? "pass" : "fail", `${String(most)} -> ${String(isRight ? smaller : size)}`);
  } catch (error) {
    report("resize", "fail", messageOf(error));
  }
  await transport.resetQueue(queueSizes.length);
  const isHealthy =
    ((await transport.getStatus()) & DeviceStatus.NEEDS_RESET) === 0 && (await transport.queueEnabled(0));
  report("missing", isHealthy ? "pass" : "fail", isHealthy ? "" : "the device needs a reset, or queue 0 was disabled");
  return true;
}

async function inFlightChecks(subject: Subject, report: Report): Promise<void> {
  const { transport, queueSizes } = subject;
  const skip = (why: string): void => {
    for (const id of ["in-flight", "untouched", "quiet", "fresh"] as const) report(id, "not checked", why);
  };
  const isDisk = transport.deviceId === BLK;
  if (!isDisk && !RECEIVES_ON_QUEUE_0.has(transport.deviceId)) {
    skip("nothing of it stays in flight");
    return;
  }
  if (isDisk && !(await subject.slowDown())) {
    skip("the disk cannot be slowed down");
    return;
  }
  await negotiateOnly(transport, [CommonFeature.RING_RESET]);
  const size = Math.min(queueSizes[0] ?? 0, 64);
  const old = await ProbeQueue.enable(transport, 0, size);
  await driverOk(transport);
  // A read of sector 0: a header of zeroes, the data, the status.
  const count = Math.min(REQUESTS, Math.floor(size / 3));
  for (let index = 0; index < count; index++) {
    if (isDisk) old.post(new Uint8Array(16), [512, 1]);
    else old.post(new Uint8Array(0), [2048]);
  }
  old.queue.kick();
  await transport.getStatus();
  const outcome = await resetAndWait(transport, 0);
  const left = count - old.usedIndex;
  if (!outcome.isComplete) {
    report("in-flight", "fail", `${outcome.seen}, 2 s later`);
    for (const id of ["untouched", "quiet", "fresh"] as const) report(id, "not checked", "the reset never ended");
    return;
  }
  if (left === 0) {
    skip("the device was done before the reset");
    return;
  }
  const busy = outcome.busyLooks === 0 ? "complete at once" : `under way in ${String(outcome.busyLooks)} looks`;
  report("in-flight", "pass", `${String(left)} in flight, ${busy}`);

  // From here on all of this is the driver's again.
  old.poison();
  let notifications = 0;
  const fresh = await ProbeQueue.enable(transport, 0, Math.max(2, size / 2));
  // One that was raised before may be late.
  await pause(20);
  transport.onQueueUsed = () => {
    notifications++;
  };
  await pause(isDisk ? PATIENCE : 100);
  transport.onQueueUsed = undefined;
  const written = old.writtenSincePoisoned();
  report("untouched", written === 0 ? "pass" : "fail", written === 0 ? "" : `${String(written)} bytes were written`);
  const told = `${String(notifications)} interrupts with nothing in the queue`;
  report("quiet", notifications === 0 ? "pass" : "fail", notifications === 0 ? "" : told);
  const stale = fresh.usedIndex;
  report("fresh", stale === 0 ? "pass" : "fail", stale === 0 ? "" : `${String(stale)} stale completions`);
}

async function unnegotiatedCheck({ transport, queueSizes }: Subject, report: Report): Promise<void> {
  await negotiateOnly(transport, []);
  await ProbeQueue.enable(transport, 0, Math.min(queueSizes[0] ?? 0, 64));
  await driverOk(transport);
  await transport.resetQueue(0);
  await pause(20);
  const isEnabled = await transport.queueEnabled(0);
  report("unnegotiated", isEnabled ? "pass" : "fail", isEnabled ? "" : "the queue was reset all the same");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
