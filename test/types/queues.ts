// Queues: in which direction they work, and those that are not always there.
import type { BlkDevice, BlkDriver } from "virtio-gen/devices/blk";
import { ConsoleDevice, ConsoleDriver } from "virtio-gen/devices/console";
import { NetDevice, NetDriver, type NetHdr, type NetPacket } from "virtio-gen/devices/net";
import type { DriverTransport } from "virtio-gen/runtime";
import { type Same, holds } from "./same.js";

const hdr: NetHdr = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 0 };
const packet: NetPacket = { hdr, data: new Uint8Array(60) };

export function rightWayRound(device: NetDevice, driver: NetDriver) {
  holds<Same<ReturnType<typeof device.receiveq.send>, boolean>>();
  device.receiveq.send(packet);
  device.receiveqs[1]?.send(packet);
  holds<Same<ReturnType<typeof driver.transmitq.send>, Promise<void>>>();
  void driver.transmitq.send(packet);
}

export function ofTheDevice(net: NetDevice, terminal: ConsoleDevice, blk: BlkDevice) {
  // @ts-expect-error TS2339: Property 'transmitq' does not exist on type 'NetDevice'
  net.transmitq.send(packet);
  // @ts-expect-error TS2339: Property 'controlq' does not exist on type 'NetDevice'
  net.controlq.submit({ class: "ANNOUNCE", command: "ACK" });
  // @ts-expect-error TS2339: Property 'submit' does not exist on type 'MessageSender<NetPacket>'
  net.receiveq.submit(packet);
  // @ts-expect-error TS2339: Property 'controlTransmitq' does not exist on type 'ConsoleDevice'
  terminal.controlTransmitq.send({ header: { id: 0, event: "DEVICE_READY", value: 1 } });
  // @ts-expect-error TS2339: Property 'requestq' does not exist on type 'BlkDevice'
  blk.requestq.submit({ type: "FLUSH", sector: 0n });
  // @ts-expect-error TS2532: Object is possibly 'undefined'
  net.receiveqs[1].send(packet);
}

export function ofTheDriver(net: NetDriver, terminal: ConsoleDriver, blk: BlkDriver) {
  // @ts-expect-error TS2339: Property 'receiveq' does not exist on type 'NetDriver'
  net.receiveq.send(packet);
  // @ts-expect-error TS2339: Property 'submit' does not exist on type 'DriverTransmitQueue<NetPacket>'
  net.transmitq.submit(packet);
  // @ts-expect-error TS2339: Property 'receiveq' does not exist on type 'ConsoleDriver'
  terminal.receiveq.send({ data: new Uint8Array(1) });
  // @ts-expect-error TS2339: Property 'controlReceiveq' does not exist on type 'ConsoleDriver'
  terminal.controlReceiveq.send({ header: { id: 0, event: "DEVICE_READY", value: 1 } });
  // @ts-expect-error TS2339: Property 'send' does not exist on type 'BlkRequestQueue'
  blk.requestq.send({ type: "FLUSH", sector: 0n });
}

/** Handlers are given for the queues that bring something, and for no others. */
export function handlers(transport: DriverTransport) {
  const transmitq = () => {};
  new NetDevice({ transmitq });
  new NetDevice({ transmitq, controlq: (request) => request.complete("ERR") });
  void NetDriver.start(transport, {
    receiveq({ data }, position) {
      holds<Same<typeof data, Uint8Array>>();
      holds<Same<typeof position, number>>();
    },
  });
  // @ts-expect-error TS2345: Property 'transmitq' is missing in type
  new NetDevice({});
  // @ts-expect-error TS2345: Property 'transmitq' is missing in type
  new ConsoleDevice({ controlTransmitq: transmitq });
  // @ts-expect-error TS2353: 'receiveq' does not exist in type 'NetDeviceOptions'
  new NetDevice({ transmitq, receiveq: () => {} });
  // @ts-expect-error TS2353: 'transmitq' does not exist in type 'NetDriverOptions'
  void NetDriver.start(transport, { transmitq });
  // @ts-expect-error TS2353: 'controlq' does not exist in type 'NetDriverOptions'
  void NetDriver.start(transport, { controlq: () => {} });
}

/** A queue that depends on a feature is there, or not. */
export function optional(net: NetDriver, terminal: ConsoleDriver) {
  const ready = { header: { id: 0, event: "DEVICE_READY", value: 1 } } as const;
  void net.controlq?.submit({ class: "ANNOUNCE", command: "ACK" });
  void terminal.controlTransmitq?.send(ready);
  // @ts-expect-error TS18048: 'net.controlq' is possibly 'undefined'
  void net.controlq.submit({ class: "ANNOUNCE", command: "ACK" });
  // @ts-expect-error TS18048: 'terminal.controlTransmitq' is possibly 'undefined'
  void terminal.controlTransmitq.send(ready);
}

export function wrongMessage(device: NetDevice, driver: NetDriver, terminal: ConsoleDevice) {
  // @ts-expect-error TS2345: Property 'hdr' is missing in type
  device.receiveq.send({ data: packet.data });
  // @ts-expect-error TS2322: Type 'string' is not assignable to type 'Uint8Array
  void driver.transmitq.send({ hdr, data: "frame" });
  // @ts-expect-error TS2345: is not assignable to parameter of type 'NetPacket'
  void driver.transmitq.send(packet.data);
  // @ts-expect-error TS2820: Type '"RESISE"' is not assignable to type
  terminal.controlReceiveq.send({ header: { id: 0, event: "RESISE", value: 0 } });
  terminal.controlReceiveq.send({
    header: { id: 0, event: "RESIZE", value: 0 },
    // @ts-expect-error TS2353: 'name' does not exist in type
    body: { kind: "RESIZE", name: "a port" },
  });
}

/** The bytes of a message from the driver can be read and not written. */
export function bufferDirection() {
  new NetDevice({
    transmitq(buffer) {
      // @ts-expect-error TS2339: Property 'write' does not exist on type 'ReadableBytes'
      buffer.data.write(packet.data, 0);
      // @ts-expect-error TS2554: Expected 0 arguments, but got 1
      return buffer.complete("OK");
    },
  });
}
