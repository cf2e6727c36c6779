import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { NetDriver, NetGsoTypeKind, NetHdrFlags, type NetHdr } from "../../generated/net.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { openStreamNetwork } from "../../src/serve/network/stream-network.js";
import { temporaryFolder } from "./folder.js";

const FEATURES = ["MAC", "STATUS", "MTU", "CSUM", "HOST_TSO4", "MRG_RXBUF", "CTRL_VQ", "CTRL_RX", "MQ"] as const;
const plain: NetHdr = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 0 };

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
}

function framed(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

/** Somebody at the other end of the wire. */
async function wire(path: string) {
  const sockets: Socket[] = [];
  let bytes = Buffer.alloc(0);
  const frames: Buffer[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
        const end = 4 + bytes.readUInt32BE(0);
        frames.push(bytes.subarray(4, end));
        bytes = bytes.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets, frames };
}

async function start(buffers: { count: number; size: number } = { count: 16, size: 2048 }) {
  const path = join(temporaryFolder(), "wire");
  const { sockets, frames } = await wire(path);
  const errors: string[] = [];
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const network = await openStreamNetwork({
    path,
    mac,
    mtu: 1400,
    pairs: 2,
    onError: (error) => void errors.push(error.message),
  });
  const arrived: { readonly queue: number; readonly data: Uint8Array }[] = [];
  const driver = await NetDriver.start(loopback(network.device), {
    features: FEATURES,
    receiveq: (packet, position) => void arrived.push({ queue: position, data: packet.data }),
    receiveqBuffers: buffers,
  });
  onTestFinished(async () => {
    await driver.stop();
    await network.close();
  });
  await until(() => sockets.length === 1);
  return { network, driver, frames, sockets, arrived, errors };
}

/** A frame of a flow: IPv4, UDP, with two ports. */
function frameOf(source: number, destination: number, length = 60): Uint8Array {
  const frame = new Uint8Array(length).fill(0xab);
  const view = new DataView(frame.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint8(23, 17);
  view.setUint16(34, source);
  view.setUint16(36, destination);
  return frame;
}

test("frames both ways, as they are", async () => {
  const { driver, frames, sockets, arrived } = await start();
  expect(driver.config).toMatchObject({ mac: Uint8Array.of(2, 0, 0, 0, 0, 9), mtu: 1400, maxVirtqueuePairs: 2 });
  await driver.transmitq.send({ hdr: plain, data: frameOf(1, 2) });
  await until(() => frames.length === 1);
  expect(Uint8Array.from(frames[0] ?? [])).toEqual(frameOf(1, 2));
  // In pieces, two in one, and one that is too long for the card.
  const sent = Buffer.concat([
    framed(frameOf(3, 4)),
    framed(frameOf(5, 6, 1418)),
    framed(frameOf(5, 6, 1419)),
    framed(frameOf(7, 8)),
  ]);
  sockets[0]?.write(sent.subarray(0, 30));
  await new Promise((resolve) => setTimeout(resolve, 10));
  sockets[0]?.write(sent.subarray(30));
  await until(() => arrived.length === 3);
  expect(arrived.map(({ data }) => data)).toEqual([frameOf(3, 4), frameOf(5, 6, 1418), frameOf(7, 8)]);
});

test("the front end's MTU counts, and an address that has moved here is announced to the wire", async () => {
  const { network, sockets, arrived, frames } = await start();
  network.setMtu(1000);
  sockets[0]?.write(Buffer.concat([framed(frameOf(1, 2, 1019)), framed(frameOf(3, 4, 1018))]));
  await until(() => arrived.length === 1);
  expect(arrived[0]?.data).toEqual(frameOf(3, 4, 1018));
  network.announce(Uint8Array.of(2, 3, 4, 5, 6, 7));
  await until(() => frames.length === 1);
  // As RFC 903 and RFC 826 have it: to everybody, for Ethernet and IPv4, "request reverse", for itself.
  expect(frames[0]?.toString("hex")).toBe(
    ["ffffffffffff", "020304050607", "8035", "0001080006040003", "020304050607", "00000000", "020304050607", "00000000"]
      .join("")
      .padEnd(120, "0"),
  );
});

test("a checksum is completed, a large packet is cut, and what cannot be is dropped and told", async () => {
  const { driver, frames, errors } = await start();
  const data = frameOf(1, 2, 100);
  await driver.transmitq.send({ hdr: { ...plain, flags: NetHdrFlags.NEEDS_CSUM, csumStart: 34, csumOffset: 6 }, data });
  await until(() => frames.length === 1);
  expect(frames[0]?.subarray(40, 42)).not.toEqual(Buffer.from(data.subarray(40, 42)));
  const large = frameOf(1, 2, 14 + 20 + 20 + 3000);
  large[23] = 6;
  large[46] = 0x50;
  const cut = { ...plain, gsoType: NetGsoTypeKind.TCPV4, gsoSize: 1000, hdrLen: 54, flags: NetHdrFlags.NEEDS_CSUM };
  await driver.transmitq.send({ hdr: cut, data: large });
  await until(() => frames.length === 4);
  expect(frames.slice(1).map(({ length }) => length)).toEqual([1054, 1054, 1054]);
  await driver.transmitq.send({
    hdr: { ...plain, flags: NetHdrFlags.NEEDS_CSUM, csumStart: 5000, csumOffset: 6 },
    data,
  });
  await driver.transmitq.send({ hdr: { ...cut, gsoType: NetGsoTypeKind.UDP }, data: large });
  await driver.transmitq.send({ hdr: { ...cut, gsoSize: 1 }, data: large });
  await driver.transmitq.send({ hdr: cut, data });
  await driver.transmitq.send({ hdr: plain, data: frameOf(9, 9) });
  await until(() => frames.length === 5);
  expect(errors).toHaveLength(4);
});

test("without a buffer the wire waits, and nothing is lost", async () => {
  const { arrived, sockets } = await start({ count: 2, size: 1600 });
  const count = 300;
  for (let index = 0; index < count; index++) sockets[0]?.write(framed(frameOf(index, 1)));
  await until(() => arrived.length === count);
  expect(arrived.map(({ data }) => new DataView(data.buffer, data.byteOffset).getUint16(34))).toEqual(
    Array.from({ length: count }, (_, index) => index),
  );
});

test("a flow comes back on the queue that it went out on", async () => {
  const { driver, sockets, arrived } = await start();
  const pairs = (count: number) =>
    driver.controlq?.submit({ class: "MQ", command: "VQ_PAIRS_SET", pairs: { virtqueuePairs: count } });
  expect(await pairs(3)).toEqual({ ack: "ERR" });
  expect(await pairs(0)).toEqual({ ack: "ERR" });
  expect(await pairs(2)).toEqual({ ack: "OK" });
  await driver.transmitqs[1]?.send({ hdr: plain, data: frameOf(100, 200) });
  await driver.transmitqs[0]?.send({ hdr: plain, data: frameOf(100, 201) });
  sockets[0]?.write(framed(frameOf(200, 100)));
  sockets[0]?.write(framed(frameOf(201, 100)));
  await until(() => arrived.length === 2);
  expect(arrived.map(({ queue }) => queue).sort()).toEqual([0, 1]);
  expect(await driver.controlq?.submit({ class: "RX", command: "PROMISC", on: 1 })).toEqual({ ack: "OK" });
  expect(await driver.controlq?.submit({ class: "MAC", command: "ADDR_SET", mac: new Uint8Array(6) })).toEqual({
    ack: "ERR",
  });
});

test("the link goes down and up, by hand and with the wire, which is connected again", async () => {
  const { network, driver, sockets, frames } = await start();
  const states: (number | undefined)[] = [];
  driver.onConfigChange = ({ status }) => void states.push(status);
  await until(() => network.device.config.status === 1);
  network.setLink(false);
  await until(() => states.at(-1) === 0);
  await driver.transmitq.send({ hdr: plain, data: frameOf(1, 1) });
  network.setLink(true);
  await until(() => states.at(-1) === 1);
  const before = states.length;
  sockets[0]?.destroy();
  // It may be back before anybody looks.
  await until(() => sockets.length === 2 && states.length > before + 1 && states.at(-1) === 1);
  expect(states.slice(before)).toContain(0);
  await driver.transmitq.send({ hdr: plain, data: frameOf(2, 2) });
  await until(() => frames.length === 1);
  expect(frames[0]?.readUInt16BE(34)).toBe(2);
});

test("a length that no frame has ends the connection", async () => {
  const { sockets, network } = await start();
  sockets[0]?.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  await until(() => sockets.length === 2);
  await until(() => network.device.config.status === 1);
});

test("nobody listens", async () => {
  await expect(openStreamNetwork({ path: join(temporaryFolder(), "none") })).rejects.toThrow("there is no such file");
});
