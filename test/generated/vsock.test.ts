import { expect, test } from "vitest";
import { VsockDevice, VsockDriver, VsockShutdownFlags, type VsockHdr, type VsockPacket } from "../../generated/vsock.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { ascii, bytes, textOf, until } from "./turns.js";

const HOST = 2n;
const GUEST = 3n;
const PORT = 1024;
const CREDIT = 64 * 1024;

/** A packet's header in the other direction. */
function answer(hdr: VsockHdr, op: VsockHdr["op"], len = 0, flags = 0): VsockHdr {
  const { srcCid: dstCid, dstCid: srcCid, srcPort: dstPort, dstPort: srcPort, type } = hdr;
  return { srcCid, dstCid, srcPort, dstPort, len, type, op, flags, bufAlloc: CREDIT, fwdCnt: 0 };
}

/** The host has an echo server on one port. */
async function start() {
  const received: VsockPacket[] = [];
  const events: unknown[] = [];
  let connected = false;
  let taken = 0;
  const device: VsockDevice = new VsockDevice({
    config: { guestCid: GUEST },
    tx(buffer) {
      const { hdr, data } = buffer;
      const send = (op: VsockHdr["op"], payload = bytes(), flags = 0): void => {
        const sent = device.rx.send({ hdr: { ...answer(hdr, op, payload.length, flags), fwdCnt: taken }, data: payload });
        expect(sent).toBe(true);
      };
      switch (hdr.op) {
        case "REQUEST":
          connected = hdr.dstPort === PORT && hdr.type === "STREAM";
          send(connected ? "RESPONSE" : "RST");
          break;
        case "RW":
          taken += data.length;
          send("RW", ascii(textOf(data.toUint8Array()).toUpperCase()));
          break;
        case "CREDIT_REQUEST":
          send("CREDIT_UPDATE");
          break;
        case "SHUTDOWN":
          connected = false;
          send("RST");
          break;
        default:
          if (hdr.op !== "RST") send("RST");
      }
      return buffer.complete();
    },
  });
  const driver = await VsockDriver.start(loopback(device), {
    rx: (packet) => void received.push(packet),
    event: ({ id }) => void events.push(id),
  });
  await until(() => device.rx.available > 0);
  return { device, driver, received, events, isConnected: () => connected };
}

const header = (op: VsockHdr["op"], len = 0, flags = 0, dstPort = PORT): VsockHdr => ({
  srcCid: GUEST,
  dstCid: HOST,
  srcPort: 40_000,
  dstPort,
  len,
  type: "STREAM",
  op,
  flags,
  bufAlloc: CREDIT,
  fwdCnt: 0,
});

test("a connection: request, data, credit, shutdown", async () => {
  const { driver, received, isConnected } = await start();
  const next = async (op: VsockHdr["op"]): Promise<VsockPacket> => {
    await until(() => received.length > 0);
    const packet = received.shift();
    if (packet === undefined) throw new Error("no packet");
    expect(packet.hdr).toMatchObject({ op, srcCid: HOST, dstCid: GUEST, srcPort: PORT, dstPort: 40_000 });
    return packet;
  };
  await driver.tx.send({ hdr: header("REQUEST"), data: bytes() });
  await next("RESPONSE");
  expect(isConnected()).toBe(true);
  const data = ascii("hello");
  await driver.tx.send({ hdr: header("RW", data.length), data });
  expect(textOf((await next("RW")).data)).toBe("HELLO");
  await driver.tx.send({ hdr: header("CREDIT_REQUEST"), data: bytes() });
  expect((await next("CREDIT_UPDATE")).hdr).toMatchObject({ bufAlloc: CREDIT, fwdCnt: 5 });
  await driver.tx.send({ hdr: header("SHUTDOWN", 0, VsockShutdownFlags.RECEIVE | VsockShutdownFlags.SEND), data: bytes() });
  await next("RST");
  expect(isConnected()).toBe(false);
  await driver.stop();
});

test("a port that nobody listens on, and an unknown operation", async () => {
  const { driver, received } = await start();
  await driver.tx.send({ hdr: header("REQUEST", 0, 0, 7), data: bytes() });
  await driver.tx.send({ hdr: header(99), data: bytes() });
  await until(() => received.length === 2);
  expect(received.map(({ hdr }) => hdr.op)).toEqual(["RST", "RST"]);
  await driver.stop();
});

test("a length that is not that of the data is an error, on either side", async () => {
  const { device, driver } = await start();
  await expect(driver.tx.send({ hdr: header("RW", 5), data: bytes(1) })).rejects.toMatchObject({ rule: "length-mismatch" });
  expect(() => device.rx.send({ hdr: header("RW", 5), data: bytes(1) })).toThrow(/length/);
  await driver.stop();
});

test("after a transport reset the context id is another", async () => {
  const { device, driver, events } = await start();
  device.config.guestCid = 9n;
  await until(() => device.event.available > 0);
  device.event.send({ id: "TRANSPORT_RESET" });
  await until(() => events.length > 0);
  expect(events).toEqual(["TRANSPORT_RESET"]);
  expect((await driver.refreshConfig()).guestCid).toBe(9n);
  await driver.stop();
});
