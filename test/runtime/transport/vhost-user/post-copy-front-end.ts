import { ProtocolFeature } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { plain, until, type ScriptedFrontEnd, type ScriptedRing } from "./scripted-front-end.js";

/** All that comes before memory. False: post-copy is not offered. */
export async function negotiate(front: ScriptedFrontEnd, wanted = plain): Promise<boolean> {
  await front.askNumber("GET_FEATURES");
  const protocol = await front.askNumber("GET_PROTOCOL_FEATURES");
  front.send("SET_PROTOCOL_FEATURES", "u64", protocol);
  front.send("SET_OWNER", "none", undefined);
  front.send("SET_FEATURES", "u64", wanted);
  return (protocol & (1n << BigInt(ProtocolFeature.PAGEFAULT))) !== 0n;
}

/** The userfaultfd, which is the test's to close. */
export async function advise(front: ScriptedFrontEnd): Promise<number> {
  front.send("POSTCOPY_ADVISE", "none", undefined);
  let fds: readonly number[] | undefined;
  await until(() => (fds = front.channel.receive()?.fds) !== undefined, "the descriptor");
  const [fd] = fds ?? [];
  if (fd === undefined) throw new Error("no descriptor");
  return fd;
}

/** As QEMU says it: it waits for an acknowledgement. */
export async function listen(front: ScriptedFrontEnd): Promise<void> {
  if (!(await front.acknowledged("POSTCOPY_LISTEN", "none", undefined))) throw new Error("refused");
}

export interface Transfer {
  readonly sector: number;
  /** Guest address of the data, which nobody touches here. */
  readonly data: number;
  readonly length: number;
  /** The disk reads the guest's memory. */
  readonly isWrite: boolean;
}

/** Makes a request available whose data is anywhere. */
export function transfer(
  ring: ScriptedRing,
  front: ScriptedFrontEnd,
  { sector, data, length, isWrite }: Transfer,
): void {
  const address = front.allocator.allocate(32);
  const region = front.memory.locate(address, 32);
  if (region === undefined) throw new Error("no memory");
  region.view.setUint32(address - region.start, isWrite ? 1 : 0, true);
  region.view.setBigUint64(address - region.start + 8, BigInt(sector), true);
  region.view.setUint8(address - region.start + 16, 0xff);
  ring.queue.begin();
  ring.queue.addReadable(address, 16);
  if (isWrite) ring.queue.addReadable(data, length);
  else ring.queue.addWritable(data, length);
  ring.queue.addWritable(address + 16, 1);
  if (ring.queue.end() < 0) throw new Error("the ring is full");
  ring.queue.kick();
}

/** One request of {@link transfer} was used. */
export async function transferred(ring: ScriptedRing): Promise<void> {
  await until(() => ring.queue.poll() >= 0, "a completion");
}
