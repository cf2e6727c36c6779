import { spawn } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../generated/blk.js";
import { connect } from "../../../src/runtime/transport/vhost-user/index.js";
import { withFolder } from "../qemu/machine.js";
import { until } from "../qemu/until.js";
import { requireGuest, withGuest, type Guest } from "./guest.js";

const BLOCK = 4096;
const BLOCKS = 1024;
const main = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

/** `virtio-gen serve blk`, as a user starts it. */
class ServeCommand {
  printed = "";
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #child;

  constructor(image: string, socket: string) {
    const node = ["--import", import.meta.resolve("tsx"), "--conditions=virtio-gen-source", main];
    const words = ["serve", "blk", "--image", image, "--socket", socket];
    this.#child = spawn(process.execPath, [...node, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.printed += text));
    }
    // Not "exit": what it printed last may come behind that.
    this.ended = new Promise((resolve) => this.#child.once("close", (code, signal) => resolve(code ?? signal)));
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  async says(text: string): Promise<void> {
    await until(() => this.printed.includes(text) || this.#child.exitCode !== null, 300);
    expect(this.printed).toContain(text);
  }

  /** Ends it as Ctrl-C does, or an init system. */
  async stop(signal: "SIGINT" | "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    expect(await this.ended).toBe(0);
    expect(this.printed).toMatch(/Stopped after [\d,]+ requests\./);
  }
}

/** Until the guest has written so many more sectors. */
async function moreWrites(guest: Guest, sectors: number): Promise<void> {
  const written = "$(awk '{ print $7 }' /sys/block/vda/stat)";
  await guest.until(`[ ${written} -gt $(($(cat /tmp/before 2>/dev/null || echo 0) + ${sectors})) ]`);
  await guest.run(`echo ${written} >/tmp/before`);
}

describe.runIf(await requireGuest())("virtio-gen serve blk, with Linux at the other end", () => {
  it("can be stopped and started under a guest, and outlives QEMU", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const [image, socket] = [join(folder, "image"), join(folder, "socket")];
      writeFileSync(image, "");
      truncateSync(image, BLOCKS * BLOCK);
      let command = new ServeCommand(image, socket);
      await command.says("-device vhost-user-blk-pci");
      const devices = [
        ...["-chardev", `socket,id=disk,path=${socket},reconnect=1`, "-device", "vhost-user-blk-pci,chardev=disk"],
      ];
      await withGuest({ devices, modules: ["virtio_blk"] }, async (guest) => {
        const writing = guest.attempt(`write-storm check /dev/vda ${BLOCKS} 1000000 32 1 /tmp/stop`, 600);
        writing.catch(() => undefined);
        for (const signal of ["SIGINT", "SIGTERM"] as const) {
          await moreWrites(guest, 2000);
          await command.stop(signal);
          command = new ServeCommand(image, socket);
          await command.says("connected");
        }
        await moreWrites(guest, 2000);
        await guest.run("touch /tmp/stop");
        const { output, status } = await writing;
        expect(output).toMatch(/^(\d+) written, \1 read back, 0 errors, 1024 blocks as written$/);
        expect(status).toBe(0);

        // What the file does not have is an error of the program in the guest, and no end of anything.
        truncateSync(image, (BLOCKS / 2) * BLOCK);
        const last = `dd if=/dev/vda of=/dev/null bs=4096 skip=${BLOCKS - 1} count=1 iflag=direct`;
        expect((await guest.attempt(last)).output).toContain("Input/output error");
        await command.says("the image ends at");
        truncateSync(image, BLOCKS * BLOCK);
        await guest.run(last);

        void guest.attempt("while :; do cat /dev/vda; done >/dev/null", 600).catch(() => undefined);
        void guest.attempt(`write-storm write /dev/vda ${BLOCKS} 100 32 1`, 600).catch(() => undefined);
        await moreWrites(guest, 1000);
        // Leaving this function kills QEMU.
      });
      await command.says("disconnected");
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID });
      const driver = await BlkDriver.start(transport, { features: ["FLUSH"] });
      const { data, status } = await driver.requestq.submit({ type: "IN", sector: 8n, data: BLOCK });
      expect(status).toBe("OK");
      expect(new DataView(data.buffer, data.byteOffset).getBigUint64(0, true)).toBe(1n);
      await driver.stop();
      transport.close();
      await command.stop("SIGINT");
      expect(command.printed).not.toMatch(/disconnected: /);
    });
  });
});
