// The driver side of the smaller devices: what may be sent, what comes back, and which queues are always there.
import { BalloonDriver } from "virtio-gen/devices/balloon";
import { CanDriver } from "virtio-gen/devices/can";
import { FsDriver } from "virtio-gen/devices/fs";
import { GpioDriver } from "virtio-gen/devices/gpio";
import { I2cDriver } from "virtio-gen/devices/i2c";
import { InputDriver } from "virtio-gen/devices/input";
import { MemDriver } from "virtio-gen/devices/mem";
import { PmemDriver } from "virtio-gen/devices/pmem";
import { RpmbDriver } from "virtio-gen/devices/rpmb";
import { RtcDriver } from "virtio-gen/devices/rtc";
import { ScmiDriver } from "virtio-gen/devices/scmi";
import { SpiDriver } from "virtio-gen/devices/spi";
import { VsockDriver } from "virtio-gen/devices/vsock";
import type { DriverTransport } from "virtio-gen/runtime";
import { type Same, holds } from "./same.js";

const bytes = new Uint8Array(16);

export async function asked(transport: DriverTransport) {
  await GpioDriver.start(transport, { features: ["IRQ"] });
  // @ts-expect-error TS2322: Type '"EVENTS"' is not assignable to type
  await GpioDriver.start(transport, { features: ["EVENTS"] });
  // @ts-expect-error TS2322: Type '"ACPI"' is not assignable to type
  await MemDriver.start(transport, { features: ["ACPI"] });
  // @ts-expect-error TS2322: Type '"STATS"' is not assignable to type
  await BalloonDriver.start(transport, { features: ["STATS"] });
  // @ts-expect-error TS2322: Type '"ZERO_LENGTH"' is not assignable to type
  await I2cDriver.start(transport, { features: ["ZERO_LENGTH"] });
  // @ts-expect-error TS2322: Type '"SECURE"' is not assignable to type
  await RpmbDriver.start(transport, { features: ["SECURE"] });
}

export async function config(
  balloon: BalloonDriver,
  input: InputDriver,
  fs: FsDriver,
  mem: MemDriver,
  pmem: PmemDriver,
  spi: SpiDriver,
) {
  await balloon.writeConfig({ actual: 3 });
  holds<Same<typeof mem.config.nodeId, number | undefined>>();
  // @ts-expect-error TS2353: 'numPages' does not exist in type
  await balloon.writeConfig({ numPages: 3 });
  // @ts-expect-error TS2540: Cannot assign to 'actual' because it is a read-only property
  balloon.config.actual = 3;
  // @ts-expect-error TS2339: Property 'writeConfig' does not exist on type 'FsDriver'
  await fs.writeConfig({ tag: "x" });
  // @ts-expect-error TS18048: 'mem.config.nodeId' is possibly 'undefined'
  mem.config.nodeId.toFixed();
  // @ts-expect-error TS18048: 'fs.config.notifyBufSize' is possibly 'undefined'
  fs.config.notifyBufSize + 1;
  // @ts-expect-error TS2322: Type 'bigint | undefined' is not assignable to type
  const start: bigint = pmem.config.start;
  // @ts-expect-error TS2540: Cannot assign to 'maxFreqHz' because it is a read-only property
  spi.config.maxFreqHz = 1;
  // @ts-expect-error TS2353: 'size' does not exist in type
  await input.writeConfig({ size: 1 });
  return start;
}

/** Reading the window takes a selection, and the answer says which layout it has. */
export async function window(input: InputDriver) {
  const answer = await input.queryConfig({ select: "ID_NAME", subsel: 0 });
  if (answer.u?.kind === "ID_NAME") answer.u.string.toUpperCase();
  // @ts-expect-error TS2322: Type '"NAME"' is not assignable to type
  await input.queryConfig({ select: "NAME", subsel: 0 });
  // @ts-expect-error TS2345: Property 'subsel' is missing in type
  await input.queryConfig({ select: "ID_NAME" });
  // @ts-expect-error TS18048: 'answer.u' is possibly 'undefined'
  void answer.u.kind;
  // @ts-expect-error TS2339: Property 'string' does not exist on type '{ readonly kind: "ABS_INFO"; } & InputConfigAbsInfo'
  if (answer.u?.kind === "ABS_INFO") void answer.u.string;
}

export async function replies(gpio: GpioDriver, mem: MemDriver, i2c: I2cDriver, can: CanDriver, rtc: RtcDriver) {
  const read = await gpio.requestq.submit({ type: "GET_VALUE", gpio: 1 });
  holds<Same<typeof read.value, number | undefined>>();
  // @ts-expect-error TS18048: 'read.value' is possibly 'undefined'
  read.value.toFixed();
  const written = await gpio.requestq.submit({ type: "SET_VALUE", gpio: 1, value: 1 });
  // @ts-expect-error TS2339: Property 'value' does not exist on type 'GpioSetValueReply'
  void written.value;
  const plugged = await mem.guestRequest.submit({ type: "UNPLUG_ALL" });
  // @ts-expect-error TS2339: Property 'state' does not exist on type 'MemUnplugAllReply'
  void plugged.state;
  const reply = await i2c.requestq.submit({ outHdr: { addr: 8, flags: 0 } });
  // @ts-expect-error TS2339: Property 'replyBuf' does not exist on type 'I2cRequestReply'
  void reply.replyBuf;
  const sent = await can.txq.submit({ out: { msgType: "TX", flags: 0, canId: 1, sdu: bytes } });
  // @ts-expect-error TS2322: Type 'string[]' is not assignable to type 'number'
  await i2c.requestq.submit({ outHdr: { addr: 8, flags: ["M_RD"] } });
  // @ts-expect-error TS2367: This comparison appears to be unintentional because the types 'number | "OK" | "NOT_OK"'
  if (sent.result === "FAILED") return;
  // @ts-expect-error TS2345: Property 'clockId' is missing in type
  await rtc.requestq.submit({ msgType: "READ" });
}

export async function inputs(
  gpio: GpioDriver,
  mem: MemDriver,
  pmem: PmemDriver,
  scmi: ScmiDriver,
  fs: FsDriver,
  spi: SpiDriver,
  rpmb: RpmbDriver,
) {
  // @ts-expect-error TS2322: Type '"TOGGLE"' is not assignable to type
  await gpio.requestq.submit({ type: "TOGGLE", gpio: 1 });
  // @ts-expect-error TS2345: Property 'value' is missing in type
  await gpio.requestq.submit({ type: "SET_VALUE", gpio: 1 });
  // @ts-expect-error TS2353: 'value' does not exist in type
  await gpio.requestq.submit({ type: "GET_VALUE", gpio: 1, value: 1 });
  // @ts-expect-error TS2345: Property 'plug' is missing in type
  await mem.guestRequest.submit({ type: "PLUG" });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'bigint'
  await mem.guestRequest.submit({ type: "PLUG", plug: { addr: 0, nbBlocks: 1 } });
  // @ts-expect-error TS2345: Property 'request' is missing in type
  await pmem.reqVq.submit({});
  // @ts-expect-error TS2322: Type '"SYNC"' is not assignable to type 'number | "FLUSH"'
  await pmem.reqVq.submit({ request: { type: "SYNC" } });
  // @ts-expect-error TS2345: Property 'response' is missing in type
  await scmi.cmdq.submit({ request: { hdr: 0, params: bytes } });
  // @ts-expect-error TS2322: Type 'Uint8Array<ArrayBuffer>' is not assignable to type 'number'
  await fs.requestQueue.submit({ in: bytes, datain: bytes, dataout: bytes });
  // @ts-expect-error TS2345: Property 'head' is missing in type
  await spi.requestq.submit({ txBuf: bytes, rxBuf: 4 });
  // @ts-expect-error TS2820: Type '"RESP_DATA_READ"' is not assignable to type
  await rpmb.requestq.submit({ reqResp: "RESP_DATA_READ" });
}

/** Queues that bring messages to the driver have nothing to send, and no queue works the other way round. */
export function wrongWay(
  input: InputDriver,
  vsock: VsockDriver,
  scmi: ScmiDriver,
  can: CanDriver,
  balloon: BalloonDriver,
  pmem: PmemDriver,
) {
  void input.statusq.send({ type: 0x11, code: 0, value: 1 });
  void balloon.inflateq.send({ pages: [1, 2] });
  // @ts-expect-error TS2339: Property 'eventq' does not exist on type 'InputDriver'
  input.eventq.send({ type: 1, code: 30, value: 1 });
  // @ts-expect-error TS2339: Property 'submit' does not exist on type 'DriverTransmitQueue<InputEvent>'
  void input.statusq.submit({ type: 0x11, code: 0, value: 1 });
  // @ts-expect-error TS2339: Property 'rx' does not exist on type 'VsockDriver'
  void vsock.rx.send({});
  // @ts-expect-error TS2339: Property 'submit' does not exist on type 'DriverTransmitQueue<VsockPacket>'
  void vsock.tx.submit({});
  // @ts-expect-error TS2339: Property 'eventq' does not exist on type 'ScmiDriver'
  void scmi.eventq.send({});
  // @ts-expect-error TS2339: Property 'rxq' does not exist on type 'CanDriver'
  void can.rxq.send({});
  // @ts-expect-error TS2339: Property 'send' does not exist on type 'DriverRequestQueue<PmemRequestInput, PmemRequestReply>'
  void pmem.reqVq.send({ request: { type: "FLUSH" } });
  // @ts-expect-error TS2345: Property 'pages' is missing in type
  void balloon.inflateq.send([1, 2]);
}

/** A queue that comes with a feature may be absent. */
export function optionalQueues(balloon: BalloonDriver, gpio: GpioDriver) {
  void balloon.statsq?.send({ stats: [] });
  void gpio.eventq?.submit({ request: { gpio: 1 } });
  // @ts-expect-error TS18048: 'balloon.statsq' is possibly 'undefined'
  void balloon.statsq.send({ stats: [] });
  // @ts-expect-error TS18048: 'balloon.freePageVq' is possibly 'undefined'
  void balloon.freePageVq.submit({ page: 4096 });
  // @ts-expect-error TS18048: 'balloon.reportingVq' is possibly 'undefined'
  void balloon.reportingVq.submit({ pages: 4096 });
  // @ts-expect-error TS18048: 'gpio.eventq' is possibly 'undefined'
  void gpio.eventq.submit({ request: { gpio: 1 } });
}

/** Handlers belong to the queues that bring something. */
export async function handlers(transport: DriverTransport) {
  await InputDriver.start(transport, { eventq: (event) => void event.code });
  // @ts-expect-error TS2353: 'statusq' does not exist in type 'InputDriverOptions'
  await InputDriver.start(transport, { statusq: () => {} });
  // @ts-expect-error TS2339: Property 'data' does not exist on type 'InputEvent'
  await InputDriver.start(transport, { eventq: (event) => void event.data });
  // @ts-expect-error TS2353: 'tx' does not exist in type 'VsockDriverOptions'
  await VsockDriver.start(transport, { tx: () => {} });
  // @ts-expect-error TS2339: Property 'value' does not exist on type 'CanRx'
  await CanDriver.start(transport, { rxq: (message) => void message.value });
  // @ts-expect-error TS2353: 'reqVq' does not exist in type 'PmemDriverOptions'
  await PmemDriver.start(transport, { reqVq: () => {} });
}
