import { spawn } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../generated/blk.js";
import { CRYPTO_DEVICE_ID, CryptoDataFlags, CryptoDriver } from "../../generated/crypto.js";
import { ENTROPY_DEVICE_ID, EntropyDriver } from "../../generated/entropy.js";
import { FS_DEVICE_ID, FsDriver } from "../../generated/fs.js";
import { INPUT_DEVICE_ID, InputDriver, type InputEvent } from "../../generated/input.js";
import { connect } from "../../src/runtime/transport/vhost-user/index.js";
import { loadKoffi } from "../../src/runtime/transport/posix/koffi.js";
import { requirePeer } from "../interop/peers.js";
import { Workspace } from "./workspace.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const node = ["--import", import.meta.resolve("tsx"), "--conditions=virtio-gen-source", join(root, "src/cli/main.ts")];

const canServe = await requirePeer("koffi on Linux", async () => {
  if (process.platform !== "linux") return "the system is not Linux";
  return (await loadKoffi()) === undefined ? "koffi is not installed" : undefined;
});

async function until(done: () => boolean, account: () => string): Promise<void> {
  for (const end = Date.now() + 120_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(done(), account()).toBe(true);
}

/** `virtio-gen serve` in a process of its own, as a user has it. */
async function start(space: Workspace, words: readonly string[], input = "") {
  const child = spawn(process.execPath, [...node, "serve", ...words], { cwd: space.folder });
  const printed = { out: "", err: "" };
  child.stdout.on("data", (data: Buffer) => (printed.out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (printed.err += data.toString()));
  child.stdin.write(input);
  // Not "exit": what it printed last may come behind that.
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("close", (code, signal) => resolve(code ?? signal)),
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  const account = (): string => printed.out + printed.err;
  await until(() => printed.out.includes("-device") || child.exitCode !== null, account);
  const says = (text: string): Promise<void> => until(() => account().includes(text), account);
  return { child, printed, ended, says };
}

describe.runIf(canServe)("virtio-gen serve", { timeout: 600_000 }, () => {
  it("blk: prints QEMU's arguments, serves the image, grows with it, and ends at SIGINT", async () => {
    const space = new Workspace({ "disk.img": new Uint8Array(64 * 512).fill(7) });
    const { child, printed, ended, says } = await start(space, ["blk", "--image", "disk.img", "--queues", "2"]);
    expect(printed.out).toContain(`-chardev socket,id=blk,path=${space.path("blk.sock")},reconnect=1`);
    expect(printed.out).toContain("-device vhost-user-blk-pci,chardev=blk,num-queues=2,queue-size=128");
    const transport = await connect(space.path("blk.sock"), { deviceId: BLK_DEVICE_ID });
    const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH"] });
    expect((await driver.requestqs[1]?.submit({ type: "IN", sector: 63n, data: 512 }))?.data).toEqual(
      new Uint8Array(512).fill(7),
    );
    truncateSync(space.path("disk.img"), 128 * 512);
    child.kill("SIGHUP");
    await says("128 sectors");
    expect((await driver.requestq.submit({ type: "IN", sector: 127n, data: 512 })).status).toBe("OK");
    await driver.stop();
    transport.close();
    await says("disconnected");
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(printed.out).toContain("Stopped after 2 requests.");
    expect(existsSync(space.path("blk.sock"))).toBe(false);
  });

  it("blk: spreads its queues over Workers, which know how large the image is", async () => {
    const space = new Workspace({ "disk.img": new Uint8Array(64 * 512).fill(7) });
    const { child, printed, ended, says } = await start(space, ["blk", "--image", "disk.img", "--workers", "2"]);
    expect(printed.out).toContain("num-queues=2");
    const transport = await connect(space.path("blk.sock"), { deviceId: BLK_DEVICE_ID });
    const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH"] });
    const data = new Uint8Array(512).fill(9);
    for (const [index, queue] of driver.requestqs.entries()) {
      const sector = BigInt(index);
      expect(await queue.submit({ type: "OUT", sector, data })).toEqual({ status: "OK" });
      expect((await queue.submit({ type: "IN", sector: 100n, data: 512 })).status).toBe("IOERR");
    }
    expect(readFileSync(space.path("disk.img")).subarray(0, 1024)).toEqual(Buffer.alloc(1024, 9));
    truncateSync(space.path("disk.img"), 128 * 512);
    child.kill("SIGHUP");
    await says("128 sectors");
    for (const queue of driver.requestqs) {
      expect((await queue.submit({ type: "IN", sector: 100n, data: 512 })).status).toBe("OK");
    }
    await driver.stop();
    transport.close();
    await says("disconnected");
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(printed.out).toContain("Stopped after 6 requests.");
  });

  it("rng, fs and input: each with its front end", async () => {
    const space = new Workspace({ bytes: "random", "folder/file": "text" });
    const rng = await start(space, ["rng", "--from", "bytes"]);
    const first = await connect(space.path("rng.sock"), { deviceId: ENTROPY_DEVICE_ID });
    const entropy = await EntropyDriver.start(first);
    expect(new TextDecoder().decode((await entropy.requestq.submit({ data: 16 })).data)).toBe("random");
    await entropy.stop();
    first.close();
    rng.child.kill("SIGTERM");
    expect(await rng.ended).toBe(0);

    await start(space, ["fs", "--directory", "folder", "--tag", "code"]);
    const second = await connect(space.path("fs.sock"), { deviceId: FS_DEVICE_ID });
    const files = await FsDriver.start(second);
    expect(files.config.tag).toBe("code");
    await files.stop();
    second.close();

    await start(space, ["input"], "1 30 1\nsync\nnonsense\n1 30 0\n");
    const third = await connect(space.path("input.sock"), { deviceId: INPUT_DEVICE_ID });
    const events: InputEvent[] = [];
    const input = await InputDriver.start(third, { eventq: (event) => void events.push(event) });
    await until(
      () => events.length === 3,
      () => JSON.stringify(events),
    );
    expect(events.map(({ type, code, value }) => [type, code, value])).toEqual([
      [1, 30, 1],
      [0, 0, 0],
      [1, 30, 0],
    ]);
    await input.stop();
    third.close();
  });

  it("crypto: prints what QEMU needs of it, and encrypts", async () => {
    const space = new Workspace();
    const { child, printed, ended } = await start(space, ["crypto"]);
    expect(printed.out).toContain("-object cryptodev-vhost-user,id=engine,chardev=crypto");
    expect(printed.out).toContain("virtio-crypto-pci,cryptodev=engine,vectors=0");
    const transport = await connect(space.path("crypto.sock"), { deviceId: CRYPTO_DEVICE_ID });
    const driver = await CryptoDriver.start(transport);
    const [cipherKey, iv, srcData] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2), Buffer.alloc(64, 3)];
    const { opOutcome } = await driver.controlq.submit({
      opcode: "CIPHER_CREATE_SESSION",
      opType: "CIPHER",
      opFlf: { cipher: { algo: "AES_CBC", keyLen: 16, op: "ENCRYPT" } },
      opVlf: { cipherKey },
    });
    const { dstData } = await driver.dataq.submit({
      variant: "Cipher",
      opcode: "CIPHER_ENCRYPT",
      opType: "CIPHER",
      flag: CryptoDataFlags.SESSION_MODE,
      sessionId: opOutcome.sessionId,
      opTypeFlf: { cipher: { ivLen: 16, srcDataLen: 64, dstDataLen: 64 } },
      iv,
      srcData,
    });
    const cipher = createCipheriv("aes-128-cbc", cipherKey, iv).setAutoPadding(false);
    expect(cipher.update(srcData).equals(dstData)).toBe(true);
    await driver.stop();
    transport.close();
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(printed.out).toContain("Stopped after 1 requests.");
  });

  it("what cannot be opened is said, and the exit code is 2", async () => {
    const space = new Workspace();
    for (const [words, message] of [
      [["blk", "--image", "none.img"], "none.img: there is no such file"],
      [["fs", "--directory", "none"], "none: there is no such file"],
      [["net", "--peer", "none"], "none: there is no such file"],
      [["net", "--peer", "none", "--mac", "02:00"], "is no address"],
      [["vsock", "--path", "no/vsock"], "no/vsock: there is no such folder"],
    ] as const) {
      const result = await space.run(["serve", ...words]);
      expect([result.code, result.err], words.join(" ")).toEqual([2, expect.stringContaining(message)]);
    }
  });

  it("a socket that is in use, or cannot be made", async () => {
    const space = new Workspace();
    writeFileSync(space.path("disk.img"), new Uint8Array(512));
    await start(space, ["rng"]);
    const words = ["serve", "blk", "--image", space.path("disk.img")];
    const busy = await space.run([...words, "--socket", space.path("rng.sock")]);
    expect([busy.code, busy.err]).toEqual([2, expect.stringMatching(/in use|EADDRINUSE/)]);
    const image = await space.run([...words, "--socket", space.path("disk.img")]);
    expect([image.code, image.err]).toEqual([2, expect.stringMatching(/in use|EADDRINUSE/)]);
    expect(statSync(space.path("disk.img")).size).toBe(512);
    const nowhere = await space.run([...words, "--socket", space.path("no/blk.sock")]);
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringMatching(/no such|ENOENT/)]);
  });
});
