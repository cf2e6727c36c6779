/** A buffer on its way through the queue. */
export interface Sent {
  readonly id: number;
  readonly token: number;
  /** Where its bytes are. */
  readonly cell: number;
  readonly descriptors: number;
  /** Bytes of its parts. */
  readonly readable: number;
  readonly writable: number;
  /** Bytes written by the device. */
  written: number;
}

/** What a side has asked for: a notification of the next thing, none, or neither for sure. */
export type Wish = "asked" | "never" | "open";

/** The simplest queue there is: arrays, and no ring. */
export class QueueModel {
  readonly size: number;
  readonly inOrder: boolean;
  free: number;
  readonly tokens = new Set<number>();
  readonly drafted: Sent[] = [];
  readonly available: Sent[] = [];
  /** Taken and not completed. */
  readonly taken: Sent[] = [];
  /** Completed and not published. */
  readonly completed: Sent[] = [];
  /** With in-order use: taken and not published, oldest first. */
  readonly order: Sent[] = [];
  readonly used: Sent[] = [];
  driverWish: Wish = "asked";
  deviceWish: Wish = "asked";
  devicePolls = false;

  constructor(size: number, inOrder: boolean) {
    this.size = size;
    this.inOrder = inOrder;
    this.free = size;
  }

  add(sent: Sent): void {
    this.free -= sent.descriptors;
    this.tokens.add(sent.token);
    this.drafted.push(sent);
  }

  /** Returns how many buffers became available. */
  publishAvailable(): number {
    const count = this.drafted.length;
    for (const sent of this.drafted) this.available.push(sent);
    this.drafted.length = 0;
    if (count > 0 && this.deviceWish === "asked") this.deviceWish = "open";
    return count;
  }

  take(): Sent | undefined {
    const sent = this.available.shift();
    if (!this.devicePolls) this.deviceWish = sent === undefined ? "asked" : "open";
    if (sent === undefined) return undefined;
    this.taken.push(sent);
    if (this.inOrder) this.order.push(sent);
    return sent;
  }

  complete(index: number): void {
    for (const sent of this.taken.splice(index, 1)) this.completed.push(sent);
  }

  /** Returns how many buffers were used. */
  publishUsed(): number {
    const before = this.used.length;
    if (this.inOrder) {
      for (
        let oldest = this.order[0];
        oldest !== undefined && this.completed.includes(oldest);
        oldest = this.order[0]
      ) {
        this.order.shift();
        this.completed.splice(this.completed.indexOf(oldest), 1);
        this.used.push(oldest);
      }
    } else {
      for (const sent of this.completed) this.used.push(sent);
      this.completed.length = 0;
    }
    const count = this.used.length - before;
    if (count > 0 && this.driverWish === "asked") this.driverWish = "open";
    return count;
  }

  poll(): Sent | undefined {
    const sent = this.used.shift();
    if (sent === undefined) return undefined;
    this.free += sent.descriptors;
    this.tokens.delete(sent.token);
    return sent;
  }
}
