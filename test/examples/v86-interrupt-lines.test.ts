import { expect, it } from "vitest";
import { InterruptLines } from "../../examples/v86/interrupt-lines.js";
import { V86Memory } from "../../examples/v86/v86-memory.js";
import { FakeV86 } from "./fake-v86.js";

it("raises a line before the next slice, which follows at once, and lets it down without delay", () => {
  const machine = new FakeV86();
  const lines = new InterruptLines(machine);
  machine.inSlice = () => lines.set(10, true);
  expect(machine.main_loop()).toBe(0);
  expect(machine.log).toEqual(["slice"]);
  machine.inSlice = () => lines.set(10, false);
  expect(machine.main_loop()).toBe(7);
  expect(machine.log).toEqual(["slice", "10 up", "slice", "10 down"]);
});

it("does not raise a line that is not wanted any more", () => {
  const machine = new FakeV86();
  const lines = new InterruptLines(machine);
  lines.set(10, true);
  lines.set(10, false);
  expect(machine.main_loop()).toBe(7);
  expect(machine.log).toEqual(["slice"]);
});

it("keeps a line up while one of the devices on it wants it", () => {
  const machine = new FakeV86();
  const lines = new InterruptLines(machine);
  lines.set(10, true);
  lines.set(10, true);
  lines.set(11, true);
  machine.main_loop();
  lines.set(10, false);
  machine.main_loop();
  lines.set(10, false);
  lines.set(11, false);
  expect(machine.log).toEqual(["10 up", "11 up", "slice", "slice", "10 down", "11 down"]);
});

it("raises lines where memory may grow: before a slice, after which devices find it again", () => {
  const machine = new FakeV86();
  const memory = new V86Memory(machine);
  const lines = new InterruptLines(machine);
  machine.inInterrupt = machine.grow;
  lines.set(10, true);
  expect(memory.guest.locate(0, 1)?.bytes.buffer).toBe(machine.mem8.buffer);
  machine.main_loop();
  expect(machine.log).toEqual(["10 up", "slice"]);
  expect(memory.guest.locate(0, 1)?.bytes.buffer).toBe(machine.mem8.buffer);
});
