import { CommonFeature } from "../runtime/index.js";
import { isDisk, promptWork, slowWork } from "./device-work.js";
import { driverOk, eventually, negotiateOnly, pause, ProbeQueue, resetAndWait, type RingForm } from "./probe-queue.js";
import type { Subject } from "./queue-reset-suite.js";
import { fail, notChecked, pass, passIf, type CheckId, type Findings } from "./reset-checks.js";

/** Requests in flight, and how long they may take when they are slow, in milliseconds. */
const REQUESTS = 8;
const PATIENCE = 2000;
const IDS: readonly CheckId[] = ["in-flight", "untouched", "quiet", "others-busy", "fresh"];

/** Resets queue 0 with buffers in flight, takes all of it back, and sees who touches it. */
export async function inFlightChecks(subject: Subject, found: Findings, form: RingForm): Promise<void> {
  const { transport, queueSizes } = subject;
  const slow = slowWork(transport);
  const disk = isDisk(transport.deviceId);
  if (slow === undefined) {
    found.setRest(IDS, notChecked("nothing of it stays in flight"));
    return;
  }
  if (disk && !(await subject.slowDown())) {
    found.setRest(IDS, notChecked("the disk cannot be slowed down"));
    return;
  }
  await negotiateOnly(transport, [CommonFeature.RING_RESET], form);
  const size = Math.min(queueSizes[0] ?? 0, 64);
  const old = await ProbeQueue.enable(transport, 0, size, form);
  // Another queue that served while nothing was in flight.
  const isOtherGood = found.get("others")?.seen.endsWith("serves") === true;
  const work = promptWork(transport).find(({ queue }) => isOtherGood && queue > 0 && (queueSizes[queue] ?? 0) > 0);
  const other = work === undefined ? undefined : await ProbeQueue.enable(transport, work.queue, 8, form);
  await driverOk(transport);
  const count = Math.min(REQUESTS, Math.floor(size / 3));
  for (let index = 0; index < count; index++) old.post(slow.readable, slow.writable, false);
  old.queue.kick();
  await transport.getStatus();
  if (work !== undefined) other?.post(work.readable, work.writable, true);
  const outcome = await resetAndWait(transport, 0);
  const left = count - old.used();
  if (!outcome.isComplete) {
    found.set("in-flight", fail(`${outcome.seen}, 2 s later`));
    found.setRest(IDS, notChecked("the reset never ended"));
  } else if (left === 0) found.setRest(IDS, notChecked("the device was done before the reset"));
  else {
    const busy = outcome.busyLooks === 0 ? "complete at once" : `under way in ${String(outcome.busyLooks)} looks`;
    found.set("in-flight", pass(`${String(left)} in flight, ${busy}`));
    await afterReset(subject, found, form, old, size);
    if (other === undefined) found.set("others-busy", notChecked("there is no other queue to ask for something"));
    else {
      const isDone = await eventually(() => Promise.resolve(other.used() === 1));
      found.set("others-busy", passIf(isDone, `queue ${String(work?.queue)} stands still`));
    }
  }
  if (disk) await subject.speedUp();
}

/** From the end of the reset on everything that was in flight is the driver's again. */
async function afterReset(
  { transport }: Subject,
  found: Findings,
  form: RingForm,
  old: ProbeQueue,
  size: number,
): Promise<void> {
  old.poison();
  let notifications = 0;
  const fresh = await ProbeQueue.enable(transport, 0, Math.max(2, size / 2), form);
  // One that was raised before may be late.
  await pause(20);
  transport.onQueueUsed = (index) => {
    if (index === 0) notifications++;
  };
  await pause(isDisk(transport.deviceId) ? PATIENCE : 100);
  transport.onQueueUsed = undefined;
  const written = old.writtenSincePoisoned();
  found.set("untouched", passIf(written === 0, `${String(written)} bytes were written`));
  const told = `${String(notifications)} interrupts with nothing in the queue`;
  found.set("quiet", passIf(notifications === 0, told));
  const stale = fresh.staleEntries();
  found.set("fresh", passIf(stale === 0, `${String(stale)} stale completions`));
}
