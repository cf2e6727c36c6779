// The device side of the smaller devices: what a handler may read, and what it may answer.
import { BalloonDevice, type BalloonFreePageHint, type BalloonPagesBuffer } from "virtio-gen/devices/balloon";
import { CanDevice, type CanTransmit } from "virtio-gen/devices/can";
import { FsDevice, type FsRequest } from "virtio-gen/devices/fs";
import { GpioDevice, type GpioInterrupt, type GpioRequest } from "virtio-gen/devices/gpio";
import type { I2cRequest } from "virtio-gen/devices/i2c";
import { InputDevice, type InputEventBuffer } from "virtio-gen/devices/input";
import { MemDevice, type MemRequest } from "virtio-gen/devices/mem";
import { PmemDevice, type PmemRequest } from "virtio-gen/devices/pmem";
import { RpmbDevice, type RpmbRequest } from "virtio-gen/devices/rpmb";
import { RtcDevice, type RtcRequest } from "virtio-gen/devices/rtc";
import { ScmiDevice, type ScmiCommand } from "virtio-gen/devices/scmi";
import { SpiDevice, type SpiTransfer } from "virtio-gen/devices/spi";
import { VsockDevice, type VsockPacketBuffer } from "virtio-gen/devices/vsock";
import type { Completion, ReadableBytes, WritableBytes } from "virtio-gen/runtime";
import { type Same, holds } from "./same.js";

const serve = () => {};
const bytes = new Uint8Array(16);

export function offered() {
  new GpioDevice({ features: ["IRQ"], config: { ngpio: 4, gpioNamesSize: 0 }, requestq: serve, eventq: serve });
  new PmemDevice({ features: ["SHMEM_REGION", "RING_RESET"], reqVq: serve });
  // @ts-expect-error TS2322: Type '"INTERRUPT"' is not assignable to type
  new GpioDevice({ features: ["INTERRUPT"], config: { ngpio: 4, gpioNamesSize: 0 }, requestq: serve });
  // @ts-expect-error TS2322: Type '"FLUSH"' is not assignable to type
  new PmemDevice({ features: ["FLUSH"], reqVq: serve });
  // @ts-expect-error TS2322: Type '"LED"' is not assignable to type
  new InputDevice({ features: ["LED"], statusq: serve, configWindow: () => undefined });
  // @ts-expect-error TS2322: Type '"FULL_DUPLEX"' is not assignable to type
  new SpiDevice({ features: ["FULL_DUPLEX"], requestq: serve });
  // @ts-expect-error TS2322: Type '"VIRTIO_RTC_F_ALARM"' is not assignable to type
  new RtcDevice({ features: ["VIRTIO_RTC_F_ALARM"], requestq: serve });
  new FsDevice({
    // @ts-expect-error TS2322: Type 'string' is not assignable to type
    features: "NOTIFICATION",
    config: { tag: "x", numRequestQueues: 1 },
    hiprio: serve,
    requestQueue: serve,
  });
}

export function handlers() {
  // @ts-expect-error TS2345: Property 'deflateq' is missing in type
  new BalloonDevice({ config: { numPages: 0 }, inflateq: serve });
  // @ts-expect-error TS2345: Property 'hiprio' is missing in type
  new FsDevice({ config: { tag: "x", numRequestQueues: 1 }, requestQueue: serve });
  // @ts-expect-error TS2353: 'eventq' does not exist in type 'ScmiDeviceOptions'
  new ScmiDevice({ cmdq: serve, eventq: serve });
  // @ts-expect-error TS2353: 'rx' does not exist in type 'VsockDeviceOptions'
  new VsockDevice({ config: { guestCid: 3n }, tx: serve, rx: serve });
  // @ts-expect-error TS2345: Property 'controlq' is missing in type
  new CanDevice({ config: { status: 0 }, txq: serve });
  // @ts-expect-error TS2741: Property 'maxRdCnt' is missing in type
  new RpmbDevice({ config: { capacity: 1, maxWrCnt: 1 }, requestq: serve });
  // @ts-expect-error TS2345: Property 'config' is missing in type
  new MemDevice({ guestRequest: serve });
}

export function readOnlyConfig(
  mem: MemDevice,
  gpio: GpioDevice,
  fs: FsDevice,
  rpmb: RpmbDevice,
  pmem: PmemDevice,
  spi: SpiDevice,
  balloon: BalloonDevice,
  vsock: VsockDevice,
  can: CanDevice,
) {
  mem.config.requestedSize = 1n;
  balloon.config.numPages = 3;
  vsock.config.guestCid = 4n;
  can.config.status = 1;
  // @ts-expect-error TS2540: Cannot assign to 'blockSize' because it is a read-only property
  mem.config.blockSize = 1n;
  // @ts-expect-error TS2353: 'nodeId' does not exist in type
  mem.config.update({ nodeId: 1 });
  // @ts-expect-error TS2540: Cannot assign to 'ngpio' because it is a read-only property
  gpio.config.ngpio = 1;
  // @ts-expect-error TS2540: Cannot assign to 'tag' because it is a read-only property
  fs.config.tag = "y";
  // @ts-expect-error TS2540: Cannot assign to 'capacity' because it is a read-only property
  rpmb.config.capacity = 2;
  // @ts-expect-error TS2540: Cannot assign to 'start' because it is a read-only property
  pmem.config.start = 0n;
  // @ts-expect-error TS2540: Cannot assign to 'dual' because it is a read-only property
  spi.config.txNbitsSupported.dual = true;
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'bigint'
  vsock.config.guestCid = 4;
}

export function answers(
  gpio: GpioRequest,
  mem: MemRequest,
  rpmb: RpmbRequest,
  rtc: RtcRequest,
): Completion | undefined {
  switch (gpio.type) {
    case "GET_VALUE":
      gpio.complete("ERR");
      gpio.complete({ value: 1, status: "OK" });
      // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable to parameter of type '"ERR" | GpioGetValueAnswer'
      gpio.complete("OK");
      // @ts-expect-error TS2322: Type 'string' is not assignable to type 'number'
      gpio.complete({ value: "high", status: "OK" });
      // @ts-expect-error TS2353: 'lines' does not exist in type 'GpioGetValueAnswer'
      gpio.complete({ lines: 1, status: "OK" });
      // @ts-expect-error TS2339: Property 'value' does not exist on type 'GpioGetValueRequest'
      void gpio.value;
      break;
    case "SET_VALUE":
      gpio.complete("OK");
      // @ts-expect-error TS2345: Argument of type '{ value: number; status: string; }' is not assignable to parameter of
      gpio.complete({ value: 1, status: "OK" });
      // @ts-expect-error TS2345: Argument of type '"BUSY"' is not assignable to parameter of type '"OK" | "ERR"'
      gpio.complete("BUSY");
      break;
  }
  switch (mem.type) {
    case "PLUG":
      mem.complete("ACK");
      // @ts-expect-error TS2345: Argument of type '{ type: string; state: { state: string; }; }' is not assignable to
      mem.complete({ type: "ACK", state: { state: "PLUGGED" } });
      // @ts-expect-error TS2551: Property 'unplug' does not exist on type 'MemPlugRequest'. Did you mean 'plug'?
      void mem.unplug;
      break;
    case "STATE":
      // @ts-expect-error TS2345: Argument of type '"ACK"' is not assignable to parameter of type '"BUSY" | "NACK" | "ERROR"
      mem.complete("ACK");
      // @ts-expect-error TS2322: Type 'string' is not assignable to type 'MemRespState'
      mem.complete({ type: "ACK", state: "PLUGGED" });
      // @ts-expect-error TS2322: Type '"LOST"' is not assignable to type 'number | "PLUGGED" | "UNPLUGGED" | "MIXED"'
      return mem.complete({ type: "ACK", state: { type: "LOST" } });
  }
  // @ts-expect-error TS2322: Type 'string' is not assignable to type 'RpmbFrame'
  rpmb.complete({ result: "OK" });
  // @ts-expect-error TS2345: Argument of type '{ numClocks: number; }' is not assignable to parameter of type 'RtcRequestStatus'
  rtc.complete({ numClocks: 1 });
  return undefined;
}

export function otherAnswers(
  pmem: PmemRequest,
  i2c: I2cRequest,
  scmi: ScmiCommand,
  fs: FsRequest,
  can: CanTransmit,
  spi: SpiTransfer,
  interrupt: GpioInterrupt,
) {
  pmem.complete(0);
  i2c.complete("OK");
  scmi.complete({ response: { hdr: 0, retValues: bytes } });
  fs.complete({ out: bytes });
  can.complete("OK");
  interrupt.complete("INVALID");
  // @ts-expect-error TS2345: Argument of type 'string' is not assignable to parameter of type 'number'
  pmem.complete("EIO");
  // @ts-expect-error TS2554: Expected 1 arguments, but got 0
  i2c.complete();
  // @ts-expect-error TS2345: Argument of type '{ status: string; }' is not assignable to parameter of type '"OK" | "ERR"'
  i2c.complete({ status: "OK" });
  // @ts-expect-error TS2345: Property 'response' is missing in type
  scmi.complete(bytes);
  // @ts-expect-error TS2741: Property 'retValues' is missing in type
  scmi.complete({ response: { hdr: 0 } });
  // @ts-expect-error TS2322: Type 'string' is not assignable to type 'Uint8Array<ArrayBufferLike>'
  fs.complete({ out: "text" });
  // @ts-expect-error TS2345: Argument of type '"BUS_OFF"' is not assignable to parameter of type 'number | "OK" | "NOT_OK"'
  can.complete("BUS_OFF");
  // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable to parameter of type '"TRANS_OK" | "PARAM_ERR" |
  spi.complete("OK");
  // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable to parameter of type '"INVALID" | "VALID"'
  interrupt.complete("OK");
}

/** Buffers that the driver wrote, and buffers that wait for the device's words. */
export function directions(
  i2c: I2cRequest,
  fs: FsRequest,
  spi: SpiTransfer,
  packet: VsockPacketBuffer,
  hint: BalloonFreePageHint,
) {
  holds<Same<typeof i2c.buf, ReadableBytes>>();
  holds<Same<typeof i2c.replyBuf, WritableBytes>>();
  holds<Same<typeof packet.data, ReadableBytes>>();
  // @ts-expect-error TS2339: Property 'write' does not exist on type 'ReadableBytes'
  i2c.buf.write(bytes, 0);
  // @ts-expect-error TS2339: Property 'write' does not exist on type 'ReadableBytes'
  fs.datain.write(bytes, 0);
  // @ts-expect-error TS2339: Property 'read' does not exist on type 'WritableBytes'
  spi.rxBuf.read(bytes, 0);
  // @ts-expect-error TS2339: Property 'write' does not exist on type 'ReadableBytes'
  packet.data.write(bytes, 0);
  // @ts-expect-error TS2339: Property 'read' does not exist on type 'WritableBytes'
  hint.page.read(bytes, 0);
}

/** Messages that the device only takes. */
export function held(pages: BalloonPagesBuffer, event: InputEventBuffer, packet: VsockPacketBuffer) {
  void pages.hold(async (signal) => signal.throwIfAborted());
  pages.complete();
  // @ts-expect-error TS2554: Expected 0 arguments, but got 1
  pages.complete("OK");
  // @ts-expect-error TS2554: Expected 1 arguments, but got 0
  void pages.hold();
  // @ts-expect-error TS2339: Property 'push' does not exist on type 'readonly number[]'
  pages.pages.push(1);
  // @ts-expect-error TS2554: Expected 0 arguments, but got 1
  event.complete({ type: 0, code: 0, value: 0 });
  // @ts-expect-error TS2540: Cannot assign to 'value' because it is a read-only property
  event.value = 1;
  // @ts-expect-error TS2540: Cannot assign to 'op' because it is a read-only property
  packet.hdr.op = "RST";
  // @ts-expect-error TS2339: Property 'release' does not exist on type 'BalloonPagesBuffer'
  pages.release();
}

/** Which queues a device can put messages into. */
export function sending(
  input: InputDevice,
  vsock: VsockDevice,
  scmi: ScmiDevice,
  can: CanDevice,
  balloon: BalloonDevice,
  gpio: GpioDevice,
) {
  input.eventq.send({ type: 1, code: 30, value: 1 });
  // @ts-expect-error TS2551: Property 'statusq' does not exist on type 'InputDevice'. Did you mean 'status'?
  input.statusq.send({ type: 1, code: 30, value: 1 });
  // @ts-expect-error TS2345: Property 'value' is missing in type
  input.eventq.send({ type: 1, code: 30 });
  // @ts-expect-error TS2339: Property 'tx' does not exist on type 'VsockDevice'
  vsock.tx.send({});
  // @ts-expect-error TS2322: Type '"CLOSED"' is not assignable to type 'number | "TRANSPORT_RESET"'
  vsock.event.send({ id: "CLOSED" });
  // @ts-expect-error TS2339: Property 'cmdq' does not exist on type 'ScmiDevice'
  scmi.cmdq.submit({ request: { hdr: 0, params: bytes }, response: 4 });
  // @ts-expect-error TS2339: Property 'txq' does not exist on type 'CanDevice'
  can.txq.send({});
  // @ts-expect-error TS2339: Property 'inflateq' does not exist on type 'BalloonDevice'
  balloon.inflateq.send({ pages: [1] });
  // @ts-expect-error TS2339: Property 'eventq' does not exist on type 'GpioDevice'
  gpio.eventq.send({});
}

/** The window of input's configuration: an answer has to be one of the layouts. */
export function window() {
  new InputDevice({
    statusq: serve,
    configWindow: ({ select }) =>
      select === "ID_NAME" ? { size: 3, u: { kind: "ID_NAME", string: "pad" } } : undefined,
  });
  // @ts-expect-error TS2345: Property 'configWindow' is missing in type
  new InputDevice({ statusq: serve });
  // @ts-expect-error TS2322: Type 'string' is not assignable to type 'InputConfigAnswers'
  new InputDevice({ statusq: serve, configWindow: () => "pad" });
  // @ts-expect-error TS2367: This comparison appears to be unintentional because the types 'number | "UNSET" |
  new InputDevice({ statusq: serve, configWindow: ({ select }) => (select === "NAME" ? { size: 0 } : undefined) });
  // @ts-expect-error TS2741: Property 'size' is missing in type
  new InputDevice({ statusq: serve, configWindow: () => ({ u: { kind: "ID_NAME", string: "pad" } }) });
  // @ts-expect-error TS2353: 'bustype' does not exist in type
  new InputDevice({ statusq: serve, configWindow: () => ({ size: 8, u: { kind: "ID_DEVIDS", bustype: 3 } }) });
  // @ts-expect-error TS2353: 'size' does not exist in type
  new InputDevice({ statusq: serve, configWindow: () => undefined, configWritten: { size() {} } });
}
