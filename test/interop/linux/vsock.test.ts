import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSocketBridge } from "../../../src/serve/vsock/socket-bridge.js";
import { until } from "../qemu/until.js";
import { callGuest } from "./call-guest.js";
import { requireGuest } from "./guest.js";
import { guestWith } from "./vhost-user.js";

const CID = 42;
const HOST_PORT = 1234;
const GUEST_PORT = 5000;

if (await requireGuest())
  describe("Linux's socket driver and a generated device over vhost-user", { timeout: 900_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-vsock-"));
    const path = join(folder, "vsock");
    const errors: string[] = [];
    const bridge = await openSocketBridge({ path, guestCid: CID, onError: (error) => void errors.push(error.message) });
    let echo: Server | undefined;
    let received = 0;
    beforeAll(async () => {
      echo = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("data", (bytes: Buffer) => (received += bytes.length));
        // The guest lets go of one of them.
        socket.on("error", () => socket.destroy());
        socket.pipe(socket);
      });
      await new Promise<void>((resolve) => echo?.listen(`${path}_${HOST_PORT}`, resolve));
    });
    afterAll(async () => {
      echo?.close();
      await bridge.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const session = guestWith([bridge.device], (socket) => ({
      devices: ["-chardev", `socket,id=sockets,path=${socket}`, "-device", "vhost-user-vsock-pci,chardev=sockets"],
      modules: ["vmw_vsock_virtio_transport"],
    }));

    it("calls the host, which answers: 4 MiB there and back", async () => {
      expect(await session.guest.run(`vsock call 2 ${HOST_PORT} 4194304`)).toBe("4194304 bytes came back");
      expect(received).toBe(4_194_304);
    });

    it("makes eight calls at once", async () => {
      const call = (number: number): Promise<string> =>
        session.guest.run(`vsock call 2 ${HOST_PORT} ${100_000 + number}`);
      const answers = await Promise.all(Array.from({ length: 8 }, (_, number) => call(number)));
      expect(answers).toEqual(answers.map((_, number) => `${100_000 + number} bytes came back`));
    });

    it("is told when nobody listens", async () => {
      const { status, output } = await session.guest.attempt("vsock call 2 99 10");
      expect([status, output]).toEqual([1, "connect: Connection reset by peer"]);
    });

    it("answers calls of the host", async () => {
      const { guest } = session;
      const echoing = guest.run(`vsock echo ${GUEST_PORT} 2 >/tmp/echo`);
      await guest.until("grep -q listening /tmp/echo");
      for (const size of [10, 1_000_000]) {
        const sent = randomBytes(size);
        const answer = await callGuest(path, GUEST_PORT, sent);
        expect(Buffer.compare(answer, sent)).toBe(0);
      }
      await echoing;
    });

    it("is let go of in the middle of a call, and taken anew", async () => {
      const { guest } = session;
      const driver = "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport";
      const device = await guest.run(`basename $(ls -d ${driver}/virtio*)`);
      const before = received;
      const call = guest.attempt(`vsock call 2 ${HOST_PORT} 1000000000`, 600);
      await until(() => received > before + 1_000_000, 300);
      await guest.run(`echo ${device} >${driver}/unbind`);
      expect((await call).status).toBe(1);
      await guest.run(`echo ${device} >${driver}/bind`);
      expect(await guest.run(`vsock call 2 ${HOST_PORT} 1000000`)).toBe("1000000 bytes came back");
    });

    it("lets the guest power off", async () => {
      await session.guest.powerOff();
      expect([...errors, ...session.problems]).toEqual([]);
    });
  });
