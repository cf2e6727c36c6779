import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSharedDirectory } from "../../../src/serve/shared-directory.js";
import { requireGuest } from "./guest.js";
import { guestWith } from "./vhost-user.js";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

if (await requireGuest())
  describe("Linux's file system driver and a generated device over vhost-user", { timeout: 900_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-shared-"));
    const inFolder = (name: string): string => join(folder, name);
    const large = randomBytes(3_000_000);
    mkdirSync(inFolder("below"));
    writeFileSync(inFolder("below/large"), large);
    writeFileSync(inFolder("greeting"), "hello from the host\n");
    symlinkSync("greeting", inFolder("link"));
    const errors: string[] = [];
    const shared = openSharedDirectory({
      path: folder,
      tag: "shared",
      onError: (error) => void errors.push(error.message),
    });
    afterAll(async () => {
      await shared.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const session = guestWith([shared.device], (socket) => ({
      devices: [
        "-chardev",
        `socket,id=shared,path=${socket}`,
        "-device",
        "vhost-user-fs-pci,chardev=shared,tag=shared",
      ],
      modules: ["virtiofs"],
    }));

    it("is mounted by its tag, and shows what is in the directory", async () => {
      const { guest } = session;
      expect((await guest.attempt("mount -t virtiofs no-such-tag /mnt")).status).not.toBe(0);
      await guest.run("mount -t virtiofs shared /mnt");
      expect((await guest.run("ls /mnt")).split("\n")).toEqual(["below", "greeting", "link"]);
      expect(await guest.run("cat /mnt/greeting")).toBe("hello from the host");
      expect(await guest.run("cat /mnt/link")).toBe("hello from the host");
      expect(await guest.run("stat -c '%s %F' /mnt/below/large /mnt/below")).toBe(
        `3000000 regular file\n${statSync(inFolder("below")).size} directory`,
      );
      expect((await guest.attempt("cat /mnt/nothing")).output).toContain("No such file");
    });

    it("reads files as they are", async () => {
      expect(await session.guest.run("sha256sum </mnt/below/large")).toBe(`${sha256(large)}  -`);
      const part = await session.guest.attempt("dd if=/mnt/below/large bs=1000 skip=1234 count=3 2>/dev/null");
      expect(Buffer.compare(part.bytes, large.subarray(1_234_000, 1_237_000))).toBe(0);
    });

    it("writes files that are there on the host", async () => {
      const { guest } = session;
      await guest.run("head -c 2000000 /dev/urandom >/mnt/written && sync");
      const written = readFileSync(inFolder("written"));
      expect(written.length).toBe(2_000_000);
      expect(await guest.run("sha256sum </mnt/written")).toBe(`${sha256(written)}  -`);
      await guest.run(
        "printf middle | dd of=/mnt/written bs=1 seek=1000000 conv=notrunc 2>/dev/null; truncate -s 1500000 /mnt/written",
      );
      const after = readFileSync(inFolder("written"));
      expect(after.length).toBe(1_500_000);
      expect(after.toString("latin1", 1_000_000, 1_000_006)).toBe("middle");
      await guest.run("echo more >>/mnt/greeting");
      expect(readFileSync(inFolder("greeting"), "utf8")).toBe("hello from the host\nmore\n");
    });

    it("makes, renames and removes", async () => {
      const { guest } = session;
      await guest.run(
        "mkdir -p /mnt/a/b && echo one >/mnt/a/b/one && mv /mnt/a/b/one /mnt/a/two && ln -s two /mnt/a/three",
      );
      expect(readdirSync(inFolder("a")).sort()).toEqual(["b", "three", "two"]);
      expect(readFileSync(inFolder("a/three"), "utf8")).toBe("one\n");
      await guest.run("chmod 640 /mnt/a/two && rmdir /mnt/a/b");
      expect(statSync(inFolder("a/two")).mode & 0o777).toBe(0o640);
      expect((await guest.attempt("rmdir /mnt/a")).output).toContain("not empty");
      await guest.run("rm -r /mnt/a");
      expect(readdirSync(folder).sort()).toEqual(["below", "greeting", "link", "written"]);
    });

    it("lists a directory of hundreds of files, each once", async () => {
      const { guest } = session;
      mkdirSync(inFolder("many"));
      const names = Array.from({ length: 400 }, (_, index) => `file-${index}`).sort();
      for (const name of names) writeFileSync(join(folder, "many", name), name);
      expect((await guest.run("ls /mnt/many")).split("\n").sort()).toEqual(names);
      expect(await guest.run("cat /mnt/many/* | wc -c")).toBe(String(names.join("").length));
    });

    it("is let go of while files are read and written, and taken anew", async () => {
      const { guest } = session;
      const driver = "/sys/bus/virtio/drivers/virtiofs";
      const device = await guest.run(`basename $(ls -d ${driver}/virtio*)`);
      const programs = [
        "while cat /mnt/below/large >/dev/null; do echo read >>/tmp/reads; echo 1 >/proc/sys/vm/drop_caches; done",
        "while dd if=/dev/zero of=/mnt/written bs=65536 count=16 conv=fsync; do echo written >>/tmp/writes; done",
      ].map((program) => guest.attempt(program, 600));
      await guest.until("[ $(cat /tmp/reads | wc -l) -gt 2 ] && [ $(cat /tmp/writes | wc -l) -gt 2 ]");
      await guest.run(`echo ${device} >${driver}/unbind`);
      for (const { output } of await Promise.all(programs)) expect(output).toContain("not connected");
      await guest.run("umount /mnt");
      await guest.run(`echo ${device} >${driver}/bind && mount -t virtiofs shared /mnt`);
      expect(await guest.run("sha256sum </mnt/below/large")).toBe(`${sha256(large)}  -`);
    });

    it("is unmounted, and the guest powers off", async () => {
      await session.guest.run("umount /mnt && mount -t virtiofs shared /mnt && cat /mnt/greeting && umount /mnt");
      await session.guest.powerOff();
      expect(session.problems).toEqual([]);
      expect(errors).toEqual([]);
    });
  });
