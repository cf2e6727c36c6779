/**
 * Whether an index that moved from `before` to `now` passed the entry that the peer asked to be notified about
 * (VIRTIO 1.4, 2.7.7 and 2.7.10). All three wrap at 2^16; `event` is the peer's and may be anything.
 */
export function passedEvent(event: number, now: number, before: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
}
