// The part of a front end that a guest's memory comes to: in a thread of its own, because that of the back end sleeps in its faults.
import { workerData } from "node:worker_threads";
import { loadSystemCalls, SharedMapping } from "../../../../src/runtime/transport/posix/index.js";
import { contentOf, Counter, PAGE, type AnswererData } from "./fault-answers-data.js";

const UFFDIO_WAKE = 0x8010_aa02;
const UFFD_EVENT_PAGEFAULT = 0x12;

const { faults, regions, counters: shared, dies } = workerData as AnswererData;
const counters = new Int32Array(shared);
const system = await loadSystemCalls();
const places = regions.map(({ file, length, base }) => ({
  base,
  bytes: new SharedMapping(system, file, 0, length).view(0, length),
}));
const entry = system.allocate(8);
const event = system.allocate(32);
const range = system.allocate(16);
entry.view.setInt32(0, faults, true);
entry.view.setInt16(4, 1, true);
Atomics.store(counters, Counter.ready, 1);

while (Atomics.load(counters, Counter.stop) === 0) {
  if (system.poll(entry.pointer, 1, 20) === 0) continue;
  if (system.read(faults, event.pointer, 32) !== 32) continue;
  if (event.view.getUint8(0) !== UFFD_EVENT_PAGEFAULT) throw new Error(`event ${event.view.getUint8(0)}`);
  if (dies) {
    // As the system does it for a program that has ended.
    Atomics.add(counters, Counter.faults, 1);
    system.close(faults);
    break;
  }
  const address = event.view.getBigUint64(16, true) & ~BigInt(PAGE - 1);
  const place = places.find(({ base, bytes }) => address >= base && address < base + BigInt(bytes.length));
  if (place === undefined) throw new Error(`a fault at 0x${address.toString(16)}, which is nowhere`);
  const at = Number(address - place.base);
  place.bytes.fill(contentOf(at / PAGE), at, at + PAGE);
  Atomics.add(counters, Counter.faults, 1);
  range.view.setBigUint64(0, address, true);
  range.view.setBigUint64(8, BigInt(PAGE), true);
  system.ioctl(faults, UFFDIO_WAKE, range.pointer, "UFFDIO_WAKE");
}
