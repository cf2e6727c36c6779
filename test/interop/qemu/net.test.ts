import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { NetDriver, type NetHdr, type NetPacket } from "../../../generated/net.js";
import type { DriverTransport } from "../../../src/runtime/index.js";
import { onMicrovm, onPc, requireQemu } from "./machine.js";
import { until } from "./until.js";

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const plain: NetHdr = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 0 };

function frame(destination: Uint8Array, text: string): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set(destination, 0);
  bytes.set(MAC, 6);
  bytes.set([0x88, 0xb5], 12);
  bytes.set(new TextEncoder().encode(text), 14);
  return bytes;
}

async function boundSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** The other end of QEMU's network: each datagram is a frame. */
async function withWire(
  work: (netdev: string[], wire: { sent: Uint8Array[]; send(frame: Uint8Array): void }) => Promise<void>,
) {
  const socket = await boundSocket();
  const sent: Uint8Array[] = [];
  // QEMU takes any port that is free, and speaks first.
  let port = 0;
  socket.on("message", (message, from) => {
    ({ port } = from);
    sent.push(new Uint8Array(message));
  });
  const here = socket.address().port;
  const netdev = ["-netdev", `socket,id=wire,udp=127.0.0.1:${String(here)},localaddr=127.0.0.1:0`];
  try {
    await work(netdev, { sent, send: (bytes) => socket.send(bytes, port, "127.0.0.1") });
  } finally {
    socket.close();
  }
}

/** Frames both ways, each as it was. */
async function exchange(transport: DriverTransport, wire: { sent: Uint8Array[]; send(frame: Uint8Array): void }) {
  const received: NetPacket[] = [];
  const driver = await NetDriver.start(transport, {
    features: ["MAC", "STATUS", "CTRL_VQ", "CTRL_RX", "CTRL_VLAN", "MRG_RXBUF", "MQ"],
    receiveq: (packet) => void received.push(packet),
    receiveqBuffers: { count: 32, size: 2048 },
  });
  expect(driver.config.mac).toEqual(MAC);
  for (let index = 0; index < 100; index++) {
    await driver.transmitq.send({ hdr: plain, data: frame(Uint8Array.of(2, 0, 0, 0, 0, 1), `out ${String(index)}`) });
  }
  await until(() => wire.sent.length === 100);
  expect(wire.sent[99]).toEqual(frame(Uint8Array.of(2, 0, 0, 0, 0, 1), "out 99"));
  for (let index = 0; index < 100; index++) {
    wire.send(frame(MAC, `in ${String(index)}`));
    // QEMU drops what it has no room for; a wire does that, too.
    if (index % 16 === 15) await until(() => received.length === index + 1);
  }
  await until(() => received.length === 100);
  expect(received[99]?.data).toEqual(frame(MAC, "in 99"));
  return { driver, received };
}

describe.runIf(await requireQemu())("QEMU's virtio-net", () => {
  it("carries frames over PCI and obeys the control queue", { timeout: 900_000 }, async () => {
    await withWire(async (netdev, wire) => {
      const device = "virtio-net-pci,netdev=wire,mac=52:54:00:12:34:56,mq=on";
      await onPc([...netdev, "-device", device], async (machine) => {
        const { driver, received } = await exchange(await machine.open(1), wire);
        const { controlq } = driver;
        if (controlq === undefined) throw new Error("there is no control queue");
        // QEMU starts promiscuous. Once that is off, what is not for us is not seen.
        expect((await controlq.submit({ class: "RX", command: "PROMISC", on: 0 })).ack).toBe("OK");
        wire.send(frame(Uint8Array.of(2, 0, 0, 0, 0, 9), "other"));
        wire.send(frame(MAC, "own"));
        await until(() => received.length === 101);
        expect(received[100]?.data).toEqual(frame(MAC, "own"));
        const promiscuous = await controlq.submit({ class: "RX", command: "PROMISC", on: 1 });
        expect(promiscuous.ack).toBe("OK");
        wire.send(frame(Uint8Array.of(2, 0, 0, 0, 0, 9), "other"));
        await until(() => received.length === 102);
        const pairs = await controlq.submit({ class: "MQ", command: "VQ_PAIRS_SET", pairs: { virtqueuePairs: 1 } });
        expect(pairs.ack).toBe("OK");
        const tooMany = await controlq.submit({ class: "MQ", command: "VQ_PAIRS_SET", pairs: { virtqueuePairs: 5 } });
        expect(tooMany.ack).toBe("ERR");

        // The link goes down and up: the configuration says so.
        const changed = new Promise<number | undefined>((resolve) => {
          driver.onConfigChange = (config) => resolve(config.status);
        });
        await machine.qemu.qmp.execute("set_link", { name: "wire", up: false });
        expect(await changed).toBe(0);
        await driver.stop();
      });
    });
  });

  it("carries frames over MMIO", { timeout: 900_000 }, async () => {
    await withWire(async (netdev, wire) => {
      await onMicrovm(
        [...netdev, "-device", "virtio-net-device,netdev=wire,mac=52:54:00:12:34:56"],
        async (machine) => {
          const { driver } = await exchange(await machine.open(1), wire);
          await driver.stop();
        },
      );
    });
  });
});
