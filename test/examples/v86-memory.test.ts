import { expect, it } from "vitest";
import { V86Memory } from "../../examples/v86/v86-memory.js";
import { EntropyDevice } from "../../generated/entropy.js";
import { FakeV86 } from "./fake-v86.js";

/** A device that hears of it when memory moves. */
function start() {
  const machine = new FakeV86();
  const memory = new V86Memory(machine);
  const device = new EntropyDevice({ requestq: (request) => request.complete() });
  let moves = 0;
  device.memoryMoved = () => {
    moves++;
  };
  memory.add(device);
  /** How often it has moved, and whether it can be used. */
  const state = (): [number, boolean] => {
    const bytes = memory.guest.locate(8, 1)?.bytes;
    return [moves, bytes?.buffer === machine.mem8.buffer && bytes.length > 0];
  };
  return { machine, state };
}

it("finds memory that has grown in a slice of the guest's time", () => {
  const { machine, state } = start();
  expect(machine.main_loop()).toBe(7);
  expect(state()).toEqual([0, true]);
  machine.inSlice = machine.grow;
  expect(machine.main_loop()).toBe(7);
  expect(state()).toEqual([1, true]);
});

it("finds memory that has grown when a translation was put in its place, between two slices", () => {
  const { machine, state } = start();
  machine.inTranslation = machine.grow;
  machine.codegen_finalize_finished();
  // Before anything else runs, such as a handler that waits for a timer.
  expect(state()).toEqual([1, true]);
});

it("has v86 forget its translations of what devices have written, before the next slice", () => {
  const machine = new FakeV86();
  const memory = new V86Memory(machine);
  memory.written(0x1ff0, 16);
  memory.written(0x2fff, 2);
  memory.written(0x1000, 1);
  expect(machine.log).toEqual([]);
  machine.main_loop();
  machine.main_loop();
  expect(machine.log).toEqual([
    "4096 to 8192 are other bytes",
    "8192 to 12288 are other bytes",
    "12288 to 16384 are other bytes",
    "slice",
    "slice",
  ]);
});
