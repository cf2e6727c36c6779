import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { VsockDriver, type VsockHdr, type VsockPacket } from "../../generated/vsock.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { openSocketBridge } from "../../src/serve/vsock/socket-bridge.js";
import { temporaryFolder } from "./folder.js";

const GUEST = 77n;
const ROOM = 64 * 1024;
const GUEST_PORT = 5000;

/** Waits for something of other programs of this machine. */
async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
}

async function start() {
  const path = join(temporaryFolder(), "vsock");
  const bridge = await openSocketBridge({ path, guestCid: Number(GUEST) });
  const packets: VsockPacket[] = [];
  const driver = await VsockDriver.start(loopback(bridge.device), {
    rx: (packet) => void packets.push(packet),
    event: () => undefined,
  });
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await driver.stop();
    await bridge.close();
  });
  let taken = 0;

  function send(op: VsockHdr["op"], hostPort: number, data = new Uint8Array(0), more: Partial<VsockHdr> = {}) {
    const hdr = {
      srcCid: GUEST,
      dstCid: 2n,
      srcPort: GUEST_PORT,
      dstPort: hostPort,
      len: data.length,
      type: "STREAM" as const,
      op,
    };
    return driver.tx.send({ hdr: { ...hdr, flags: 0, bufAlloc: ROOM, fwdCnt: taken, ...more }, data });
  }
  async function next(op: VsockHdr["op"]): Promise<VsockPacket> {
    await until(() => packets.length > 0);
    const packet = packets.shift();
    expect(packet?.hdr).toMatchObject({ op, srcCid: 2n, dstCid: GUEST, dstPort: GUEST_PORT, type: "STREAM" });
    if (packet === undefined) throw new Error("no packet");
    return packet;
  }
  /** Somebody on the host who listens on a port. */
  async function listen(port: number, answer: (socket: Socket) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(`${path}_${String(port)}`, resolve));
    onTestFinished(() => void server.close());
  }
  return { path, bridge, driver, packets, send, next, listen, take: (bytes: number) => (taken += bytes) };
}

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const ascii = (data: string) => new TextEncoder().encode(data);

test("the guest calls a port of the host: data both ways, half and whole ends", async () => {
  const { send, next, listen } = await start();
  const heard: string[] = [];
  await listen(1234, (socket) => {
    socket.on("data", (data: Buffer) => {
      heard.push(data.toString());
      socket.write(data.toString().toUpperCase());
    });
    socket.on("end", () => socket.end("bye"));
  });
  await send("REQUEST", 1234);
  expect((await next("RESPONSE")).hdr).toMatchObject({ srcPort: 1234, bufAlloc: 256 * 1024 });
  await send("RW", 1234, ascii("hello"));
  expect(text((await next("RW")).data)).toBe("HELLO");
  await send("SHUTDOWN", 1234, undefined, { flags: 2 });
  expect(text((await next("RW")).data)).toBe("bye");
  // Its end, then that of the socket as a whole.
  expect((await next("SHUTDOWN")).hdr.flags & 2).toBe(2);
  await send("SHUTDOWN", 1234, undefined, { flags: 3 });
  for (;;) {
    const { hdr } = await next(expect.any(String) as "RST");
    if (hdr.op === "RST") break;
    expect(hdr.op).toBe("SHUTDOWN");
  }
  expect(heard).toEqual(["hello"]);
});

test("nobody listens: the call is refused", async () => {
  const { send, next } = await start();
  await send("REQUEST", 4321);
  await next("RST");
});

test("a program of the host calls the guest", async () => {
  const { path, send, next } = await start();
  const caller = connect(path);
  onTestFinished(() => void caller.destroy());
  let got = "";
  caller.on("data", (data: Buffer) => (got += data.toString()));
  caller.write(`CONNECT ${String(GUEST_PORT)}\nearly`);
  const { hdr } = await next("REQUEST");
  await send("RESPONSE", hdr.srcPort);
  await until(() => got.startsWith("OK "));
  expect(got).toBe(`OK ${String(hdr.srcPort)}\n`);
  expect(text((await next("RW")).data)).toBe("early");
  await send("RW", hdr.srcPort, ascii("from the guest"));
  await until(() => got.endsWith("from the guest"));
  caller.end();
  expect((await next("SHUTDOWN")).hdr.flags & 2).toBe(2);
});

test.each(["HELLO 1\n", "CONNECT x\n", "CONNECT 99999999999\n", "x".repeat(100), "CONNECT 4294967296\n"])(
  "the first line %j is no call",
  async (line) => {
    const { path, packets } = await start();
    const caller = connect(path);
    let closed = false;
    caller.on("close", () => (closed = true));
    caller.on("error", () => undefined);
    caller.write(line);
    await until(() => closed);
    expect(packets).toEqual([]);
  },
);

test("the guest's room is respected, and what waits comes when there is more", async () => {
  const { send, next, listen, packets, take } = await start();
  const whole = Uint8Array.from({ length: 3 * ROOM }, (_, index) => index * 13);
  await listen(9, (socket) => void socket.write(whole));
  await send("REQUEST", 9);
  await next("RESPONSE");
  const got: Uint8Array[] = [];
  const length = (): number => got.reduce((sum, { length: bytes }) => sum + bytes, 0);
  const drain = (): number => {
    for (const { hdr, data } of packets.splice(0)) {
      expect(hdr.op).toBe("RW");
      got.push(data);
    }
    return length();
  };
  await until(() => drain() === ROOM);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(drain()).toBe(ROOM);
  for (let told = 0; length() < whole.length;) {
    take(length() - told);
    told = length();
    await send("CREDIT_UPDATE", 9);
    await until(() => drain() >= Math.min(told + ROOM, whole.length));
  }
  expect(Buffer.concat(got).equals(whole)).toBe(true);
});

test("the guest hears of room that it has again", async () => {
  const { send, next, listen } = await start();
  await listen(9, (socket) => void socket.resume());
  await send("REQUEST", 9);
  await next("RESPONSE");
  for (let sent = 0; sent < 128 * 1024; sent += 4096) await send("RW", 9, new Uint8Array(4096));
  const { hdr } = await next("CREDIT_UPDATE");
  expect(hdr.fwdCnt).toBeGreaterThanOrEqual(128 * 1024);
  await send("CREDIT_REQUEST", 9);
  expect((await next("CREDIT_UPDATE")).hdr.fwdCnt).toBeGreaterThanOrEqual(hdr.fwdCnt);
});

test("a guest that breaks the rules loses the connection, not the bridge", async () => {
  const { send, next, listen, packets } = await start();
  const sockets: Socket[] = [];
  await listen(9, (socket) => sockets.push(socket.pause()));
  // Data without a connection, another kind of socket, an unknown operation.
  await send("RW", 9, ascii("x"));
  await next("RST");
  await send("REQUEST", 9, undefined, { type: "SEQPACKET" });
  await until(() => packets.length > 0);
  expect(packets.shift()?.hdr.op).toBe("RST");
  await send("REQUEST", 9);
  await next("RESPONSE");
  await send(99, 9);
  await next("RST");
  // In the name of another guest, or for another host: not answered at all.
  await send("REQUEST", 9, undefined, { srcCid: 5n });
  await send("REQUEST", 9, undefined, { dstCid: 5n });
  // More than there was room for, while nobody reads.
  await send("REQUEST", 9);
  await next("RESPONSE");
  for (let sent = 0; sent < 40 && packets.length === 0; sent++) await send("RW", 9, new Uint8Array(60_000));
  await next("RST");
  await send("REQUEST", 9);
  await next("RESPONSE");
});

test("an odd context id is refused", async () => {
  await expect(openSocketBridge({ path: join(temporaryFolder(), "v"), guestCid: 2 })).rejects.toThrow("context id");
  await expect(openSocketBridge({ path: join(temporaryFolder(), "none", "v"), guestCid: 3 })).rejects.toThrow(
    "there is no such folder",
  );
});

test("a socket that was left behind is replaced; one in use, and any other file, is not", async () => {
  const path = join(temporaryFolder(), "vsock");
  const first = await openSocketBridge({ path, guestCid: 3 });
  await expect(openSocketBridge({ path, guestCid: 4 })).rejects.toThrow("it is in use");
  // As after a program that was killed.
  renameSync(path, `${path}.old`);
  await first.close();
  renameSync(`${path}.old`, path);
  const second = await openSocketBridge({ path, guestCid: 3 });
  await second.close();
  writeFileSync(path, "precious");
  await expect(openSocketBridge({ path, guestCid: 3 })).rejects.toThrow("it is in use");
  expect(readFileSync(path, "utf8")).toBe("precious");
});
