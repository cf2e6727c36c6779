import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConsoleDriver, type ConsoleControlMessage } from "../../../generated/console.js";
import { onMicrovm, onPc, requireQemu, withFolder } from "./machine.js";
import { until } from "./until.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The host's end of a port: what QEMU connects a character device to. */
async function withHostEnd(work: (path: string, end: () => Promise<Socket>) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, "port.sock");
    const server = createServer();
    const connected = once(server, "connection") as Promise<[Socket]>;
    server.listen(path);
    await once(server, "listening");
    const sockets: Socket[] = [];
    try {
      await work(path, async () => {
        const [socket] = await connected;
        sockets.push(socket);
        return socket;
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
}

describe.runIf(await requireQemu())("QEMU's virtio-serial", () => {
  it("does the handshake of its ports over PCI, and carries bytes both ways", { timeout: 900_000 }, async () => {
    await withHostEnd(async (path, end) => {
      const devices = [
        "-device", "virtio-serial-pci,max_ports=4", "-chardev", "null,id=nothing", "-device", "virtconsole,chardev=nothing,nr=0",
        "-chardev", `socket,id=port,path=${path}`, "-device", "virtserialport,chardev=port,name=org.example.port,nr=1",
      ]; // prettier-ignore
      await onPc(devices, async (machine) => {
        const events: ConsoleControlMessage[] = [];
        let received = "";
        const driver: ConsoleDriver = await ConsoleDriver.start(await machine.open(3), {
          features: ["MULTIPORT", "SIZE"],
          receiveq: (message, port) => void (received += `${String(port)}: ${text(message.data)}`),
          controlReceiveq: async (message) => {
            events.push(message);
            const { id, event } = message.header;
            if (event !== "DEVICE_ADD") return;
            await driver.controlTransmitq?.send({ header: { id, event: "PORT_READY", value: 1 } });
            await driver.controlTransmitq?.send({ header: { id, event: "PORT_OPEN", value: 1 } });
          },
        });
        expect(driver.config.maxNrPorts).toBe(4);
        await driver.controlTransmitq?.send({ header: { id: 0, event: "DEVICE_READY", value: 1 } });
        const seen = (id: number) => events.filter(({ header }) => header.id === id).map(({ header }) => header.event);
        await until(
          () => seen(1).includes("PORT_NAME") && seen(1).includes("PORT_OPEN") && seen(0).includes("CONSOLE_PORT"),
        );
        const name = events.find(({ body }) => body?.kind === "PORT_NAME")?.body;
        // QEMU sends a NUL behind it, which the specification does not have.
        expect(name).toEqual({ kind: "PORT_NAME", name: "org.example.port\0" });

        const socket = await end();
        let sent = "";
        socket.on("data", (chunk: Buffer) => (sent += chunk.toString()));
        await driver.transmitqs[1]?.send({ data: bytes("to the host") });
        await until(() => sent === "to the host");
        socket.write("to the guest");
        await until(() => received === "1: to the guest");

        // The host hangs up: the port says so.
        const before = events.length;
        socket.destroy();
        await until(() => events.length > before);
        expect(events.at(-1)?.header).toMatchObject({ id: 1, event: "PORT_OPEN", value: 0 });
        await driver.stop();
      });
    });
  });

  it("carries bytes over MMIO", { timeout: 900_000 }, async () => {
    await withHostEnd(async (path, end) => {
      const devices = [
        "-device", "virtio-serial-device,max_ports=1", "-chardev", `socket,id=port,path=${path}`,
        "-device", "virtconsole,chardev=port",
      ]; // prettier-ignore
      await onMicrovm(devices, async (machine) => {
        let received = "";
        const driver = await ConsoleDriver.start(await machine.open(3), {
          receiveq: (message) => void (received += text(message.data)),
        });
        const socket = await end();
        let sent = "";
        socket.on("data", (chunk: Buffer) => (sent += chunk.toString()));
        await driver.transmitq.send({ data: bytes("hello") });
        await until(() => sent === "hello");
        socket.write("welcome");
        await until(() => received === "welcome");
        await driver.stop();
      });
    });
  });
});
