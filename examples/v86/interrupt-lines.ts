import { afterSlice, beforeSlice, type V86Machine } from "./v86-machine.js";

/**
 * v86's interrupt lines for generated devices, which may share them. A line that goes up does so before the guest's next slice
 * of time: v86 enters the interrupt's handler at once, which spoils the guest's stack in the middle of an access to mapped
 * memory, and may make its memory grow in the middle of what a device does.
 */
export class InterruptLines {
  readonly #machine: V86Machine;
  /** By line: how many devices hold it up. */
  readonly #holders = new Map<number, number>();
  /** Lines to be raised. */
  readonly #due = new Set<number>();

  constructor(machine: V86Machine) {
    this.#machine = machine;
    beforeSlice(machine, () => this.#raiseDue());
    afterSlice(machine, () => this.#due.size > 0);
  }

  /** One of the devices on a line wants it up, or does not any more: it is up while there is one. */
  set(irq: number, isAsserted: boolean): void {
    const before = this.#holders.get(irq) ?? 0;
    const now = before + (isAsserted ? 1 : -1);
    this.#holders.set(irq, now);
    if (before === 0) this.#due.add(irq);
    else if (now === 0 && !this.#due.delete(irq)) this.#machine.device_lower_irq(irq);
  }

  #raiseDue(): void {
    for (const irq of this.#due) {
      this.#due.delete(irq);
      this.#machine.device_raise_irq(irq);
    }
  }
}
