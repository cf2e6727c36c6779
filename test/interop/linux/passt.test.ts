import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openStreamNetwork } from "../../../src/serve/network/stream-network.js";
import { requirePeer } from "../peers.js";
import { isListening } from "../vhost-user/peer-process.js";
import { requireGuest } from "./guest.js";
import { guestWith } from "./vhost-user.js";

const BYTES = 64 << 20;
const GUEST_PORT = 5000;
const MAC = "52:54:00:00:00:0a";

/** The numbers that guest/stream.c sends. */
class Numbers {
  #word = 0n;

  take(bytes: number): Buffer {
    const words = new BigUint64Array(bytes / 8);
    for (let index = 0; index < words.length; index++) {
      words[index] = this.#word;
      this.#word = BigInt.asUintN(64, this.#word + 0x9e3779b97f4a7c15n);
    }
    return Buffer.from(words.buffer);
  }
}

/** Takes one connection, checks what comes, and gives the number of bytes; -1 if they are wrong. */
async function sink(): Promise<{ readonly port: number; readonly received: Promise<number> }> {
  const server: Server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const received = new Promise<number>((resolve, reject) => {
    server.once("connection", (socket) => {
      const numbers = new Numbers();
      let rest = Buffer.alloc(0);
      let count = 0;
      socket.on("data", (piece: Buffer) => {
        const bytes = Buffer.concat([rest, piece]);
        const whole = bytes.length - (bytes.length % 8);
        if (!numbers.take(whole).equals(bytes.subarray(0, whole))) count = -Infinity;
        count += whole;
        rest = bytes.subarray(whole);
      });
      socket.on("end", () => {
        server.close();
        resolve(count < 0 ? -1 : count + rest.length);
      });
      socket.on("error", reject);
    });
  });
  return { port: (server.address() as AddressInfo).port, received };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function startPasst(socket: string, hostPort: number): Promise<ChildProcess> {
  const arguments_ = ["--foreground", "--socket", socket, "--tcp-ports", `127.0.0.1/${hostPort}:${GUEST_PORT}`];
  const child = spawn("passt", arguments_, { stdio: ["ignore", "ignore", "pipe"] });
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const last = (): void => void child.kill("SIGKILL");
  process.once("exit", last);
  child.once("exit", () => process.removeListener("exit", last));
  for (const deadline = Date.now() + 60_000; !isListening(socket);) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`passt does not start:\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

/** A port that was free a moment ago may be somebody else's by now. */
async function passtAtFreePort(socket: string): Promise<{ readonly passt: ChildProcess; readonly hostPort: number }> {
  for (let left = 5; ; left--) {
    const hostPort = await freePort();
    try {
      return { passt: await startPasst(socket, hostPort), hostPort };
    } catch (error) {
      if (left === 1) throw error;
      rmSync(socket, { force: true });
    }
  }
}

const hasGuest = await requireGuest();
const hasPasst = await requirePeer("passt", () => {
  const { error } = spawnSync("passt", ["--version"]);
  return error === undefined ? undefined : "passt cannot be run";
});

/** The network of `serve`, whose wire ends in passt: a TCP/IP stack that hands connections to the host's own. */
if (hasGuest && hasPasst)
  describe("Linux's network driver, a generated device, and the host behind passt", { timeout: 900_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-passt-"));
    // Started by root, passt becomes nobody before it makes its socket.
    chmodSync(folder, 0o777);
    const wire = join(folder, "wire");
    const { passt, hostPort } = await passtAtFreePort(wire);
    const errors: string[] = [];
    const network = await openStreamNetwork({ path: wire, onError: (error) => void errors.push(error.message) });
    afterAll(async () => {
      await network.close();
      passt.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
    const session = guestWith([network.device], (socket) => ({
      devices: [
        ...["-chardev", `socket,id=card,path=${socket}`, "-netdev", "vhost-user,id=net,chardev=card"],
        // Without KVM, QEMU 7.2 does not survive message-signalled interrupts here.
        ...["-device", `virtio-net-pci,netdev=net,mac=${MAC},vectors=0,romfile=`],
      ],
      modules: ["virtio_net"],
    }));

    it("gets an address by DHCP", async () => {
      const { guest } = session;
      const bound =
        "ip addr add $ip/$mask dev $interface; ip route add default via ${router%% *}; echo ${router%% *} >/tmp/router";
      await guest.run(
        `printf '#!/bin/sh\\n[ $1 = bound ] && { %s; }\\nexit 0\\n' '${bound}' >/tmp/bound && chmod +x /tmp/bound`,
      );
      await guest.run("ip link set eth0 up && udhcpc -i eth0 -t 20 -n -q -s /tmp/bound");
      expect(await guest.run("ip addr show dev eth0")).toMatch(/inet \d+\.\d+\.\d+\.\d+\//);
      expect(
        await guest.until("ping -c 1 -W 1 $(cat /tmp/router) >/dev/null; arp -n | grep -E 'at [0-9a-f:]{17}'"),
      ).toMatch(/at [0-9a-f:]{17}/);
    });

    it("sends 64 MiB to a program of the host", async () => {
      // passt resets a connection whose guest has not acknowledged anything for some seconds: a slow machine may try again.
      for (let left = 3; ; left--) {
        const { port, received } = await sink();
        received.catch(() => undefined);
        const { status, output } = await session.guest.attempt(`stream send $(cat /tmp/router) ${port} ${BYTES}`);
        if (status !== 0 && left > 1 && output.includes("reset by peer")) continue;
        expect([status, output]).toEqual([0, ""]);
        expect(await received).toBe(BYTES);
        break;
      }
    });

    it("receives 16 MiB from a program of the host", async () => {
      const bytes = BYTES / 4;
      const receiving = session.guest.run(`stream receive ${GUEST_PORT} ${bytes}`);
      await session.guest.until(`netstat -ltn | grep -q :${GUEST_PORT}`);
      const socket = connect(hostPort, "127.0.0.1");
      const numbers = new Numbers();
      for (let sent = 0; sent < bytes; sent += 65536) {
        if (!socket.write(numbers.take(65536))) await once(socket, "drain");
      }
      socket.end();
      expect(await receiving).toMatch(/^16777216 bytes in /);
    });

    it("lets the guest power off", async () => {
      await session.guest.powerOff();
      expect([...errors, ...session.problems]).toEqual([]);
    });
  });
