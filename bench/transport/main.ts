import { performance } from "node:perf_hooks";
import { BlkDevice, BlkDriver } from "../../generated/blk.js";
import { mmioMachine, pciMachine } from "../../test/runtime/transport/machines.js";
import type { RegisterFile } from "../../src/runtime/transport/registers/register-file.js";
import { countedHost } from "./counted-host.js";

/**
 * What the device side of the transports costs: a register access, a notification up to the handler, and how many accesses
 * a driver needs from probing to DRIVER_OK beside the fewest that the specification allows.
 */

const ACCESSES = 2_000_000;
const NOTIFICATIONS = 20_000;

const disk = (): BlkDevice =>
  new BlkDevice({
    features: ["FLUSH"],
    config: { capacity: 2048n },
    requestq(request) {
      if (request.type !== "FLUSH") throw new Error(`${String(request.type)} was not asked for`);
      return request.complete("OK");
    },
  });

interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** Median time of one call in ns over several rounds. */
function timed(rounds: number, calls: number, work: () => void): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    work();
    times.push(((performance.now() - start) * 1e6) / calls);
  }
  return times.sort((one, other) => one - other)[Math.floor(rounds / 2)] ?? NaN;
}

function accesses(name: string, registers: RegisterFile, offset: number, width: 1 | 2 | 4): Result[] {
  let sum = 0;
  const read = timed(7, ACCESSES, () => {
    for (let at = 0; at < ACCESSES; at++) sum += registers.read(offset, width);
  });
  const write = timed(7, ACCESSES, () => {
    for (let at = 0; at < ACCESSES; at++) registers.write(offset, width, at & 3);
  });
  if (Number.isNaN(sum)) throw new Error("a register read no number");
  return [
    { name: `${name}: read`, value: read, unit: "ns" },
    { name: `${name}: write`, value: write, unit: "ns" },
  ];
}

/** From the write of the notification register to the handler: one FLUSH at a time, all within one program. */
async function notification(name: string, open: () => Promise<BlkDriver>): Promise<Result> {
  const driver = await open();
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let at = 0; at < NOTIFICATIONS / 5; at++) await driver.requestq.submit({ type: "FLUSH", sector: 0n });
    rounds.push(((performance.now() - start) * 1e3) / (NOTIFICATIONS / 5));
  }
  await driver.stop();
  return { name, value: rounds.sort((one, other) => one - other)[2] ?? NaN, unit: "us" };
}

/** Accesses of a whole start of blk with one queue. */
async function startUp(): Promise<Result[]> {
  const machine = pciMachine(disk());
  const counted = countedHost(machine.host);
  const transport = await machine.open(counted.host);
  const probing = counted.count();
  const driver = await BlkDriver.start(transport, { features: ["FLUSH"] });
  const starting = counted.count() - probing;
  await driver.stop();
  return [
    { name: "start-up over PCI: probing and BARs", value: probing, unit: "accesses" },
    { name: "start-up over PCI: reset to DRIVER_OK", value: starting, unit: "accesses" },
    { name: "the fewest that the specification allows for that", value: fewest(), unit: "accesses" },
  ];
}

/** Section 3.1 with one queue and the configuration of a disk (capacity), step by step. */
function fewest(): number {
  const status =
    2 /* reset, read back */ + 2 /* ACKNOWLEDGE, DRIVER */ + 2 /* FEATURES_OK, read back */ + 1; /* DRIVER_OK */
  const features = 4 /* two words of the device's */ + 4; /* two of the driver's */
  const config = 2 /* generation, before and after */ + 2; /* the halves of capacity */
  const queue = 1 /* select */ + 1 /* size */ + 6 /* addresses */ + 1 /* notify offset */ + 1; /* enable */
  return status + features + config + queue;
}

const pci = pciMachine(disk());
const mmio = mmioMachine(disk());
// The function decodes its BARs.
pci.side.config.write(4, 2, 6);
const [bar] = pci.side.bars;
if (bar === undefined) throw new Error("the function has no BAR");
const results: Result[] = [
  ...accesses("PCI, queue_select", bar.registers, 0x16, 2),
  ...accesses("PCI, device_feature_select", bar.registers, 0x00, 4),
  ...accesses("MMIO, QueueSel", mmio.side, 0x30, 4),
  await notification("PCI: submit to reply", async () => BlkDriver.start(await pciMachine(disk()).open())),
  await notification("MMIO: submit to reply", async () => BlkDriver.start(await mmioMachine(disk()).open())),
  ...(await startUp()),
];

if (process.argv.includes("--json")) console.log(JSON.stringify(results, undefined, 2));
else {
  const width = Math.max(...results.map(({ name }) => name.length));
  for (const { name, value, unit } of results) {
    const number = unit === "accesses" ? String(value) : value.toFixed(value < 10 ? 2 : 0);
    console.log(`${name.padEnd(width)}  ${number.padStart(8)} ${unit}`);
  }
}
