import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { callGuest } from "../linux/call-guest.js";
import { until } from "../qemu/until.js";
import { PATIENCE, unbind, type V86Session } from "./v86-session.js";

const HOST_PORT = 1234;
const GUEST_PORT = 5000;

/** Tests of Linux's vmw_vsock_virtio_transport. `path`: where programs of the host call the guest. */
export function judgeVsock(session: V86Session, path: string): void {
  let received = 0;
  let echo: Server | undefined;
  beforeAll(async () => {
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("data", (bytes: Buffer) => (received += bytes.length));
      // The guest lets go of one of them.
      socket.on("error", () => socket.destroy());
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo?.listen(`${path}_${HOST_PORT}`, resolve));
    await session.guest.run("modprobe vmw_vsock_virtio_transport", PATIENCE);
  }, 3000 * PATIENCE);
  afterAll(() => echo?.close());

  it("calls the host, which answers: a MiB there and back", async () => {
    expect(await session.guest.run(`vsock call 2 ${HOST_PORT} 1048576`, PATIENCE)).toBe("1048576 bytes came back");
    expect(received).toBe(1_048_576);
  });

  it("is told when nobody listens", async () => {
    const { status, output } = await session.guest.attempt("vsock call 2 99 10", PATIENCE);
    expect([status, output]).toEqual([1, "connect: Connection reset by peer"]);
  });

  it("answers calls of the host", async () => {
    const { guest } = session;
    await guest.run(`(vsock echo ${GUEST_PORT} 2; echo $? >/tmp/echo-status) >/tmp/echo 2>&1 &`);
    await guest.until("grep -q listening /tmp/echo", PATIENCE);
    for (const size of [10, 300_000]) {
      const sent = randomBytes(size);
      expect(Buffer.compare(await callGuest(path, GUEST_PORT, sent), sent)).toBe(0);
    }
    await guest.until("[ -e /tmp/echo-status ]", PATIENCE);
    expect(await guest.run("cat /tmp/echo-status")).toBe("0");
  });

  it("is let go of in the middle of a call, and taken anew", async () => {
    const { guest } = session;
    const before = received;
    await guest.run(`(vsock call 2 ${HOST_PORT} 1000000000; echo $? >/tmp/call-status) >/dev/null 2>&1 &`);
    await until(() => received > before + 200_000, PATIENCE);
    const bind = await unbind(session, "vmw_vsock_virtio_transport");
    await guest.until("[ -e /tmp/call-status ]", PATIENCE);
    expect(await guest.run("cat /tmp/call-status")).toBe("1");
    await bind();
    expect(await guest.run(`vsock call 2 ${HOST_PORT} 100000`, PATIENCE)).toBe("100000 bytes came back");
  });
}
