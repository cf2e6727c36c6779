import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { PATIENCE, unbind, type V86Session } from "./v86-session.js";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Tests of Linux's virtiofs. `folder`: what is shared, under the tag `shared`. */
export function judgeFileSystem(session: V86Session, folder: string): void {
  const inFolder = (name: string): string => join(folder, name);
  const large = randomBytes(1_000_000);
  beforeAll(async () => {
    mkdirSync(inFolder("below"));
    writeFileSync(inFolder("below/large"), large);
    writeFileSync(inFolder("greeting"), "hello from the host\n");
    symlinkSync("greeting", inFolder("link"));
    await session.guest.run("modprobe virtiofs", PATIENCE);
  }, 3000 * PATIENCE);

  it("is mounted by its tag, and shows what is in the directory", async () => {
    const { guest } = session;
    expect((await guest.attempt("mount -t virtiofs no-such-tag /mnt")).status).not.toBe(0);
    await guest.run("mount -t virtiofs shared /mnt", PATIENCE);
    expect((await guest.run("ls -1 /mnt")).split("\n")).toEqual(["below", "greeting", "link"]);
    expect(await guest.run("cat /mnt/link")).toBe("hello from the host");
    expect(await guest.run("sha256sum </mnt/below/large", PATIENCE)).toBe(`${sha256(large)}  -`);
    expect((await guest.attempt("cat /mnt/nothing")).output).toContain("No such file");
  });

  it("writes, makes, renames and removes what is on the host", async () => {
    const { guest } = session;
    await guest.run("head -c 300000 /dev/urandom >/mnt/written && sync", PATIENCE);
    const written = readFileSync(inFolder("written"));
    expect(written.length).toBe(300_000);
    expect(await guest.run("sha256sum </mnt/written", PATIENCE)).toBe(`${sha256(written)}  -`);
    await guest.run(
      "mkdir -p /mnt/a/b && echo one >/mnt/a/b/one && mv /mnt/a/b/one /mnt/a/two && chmod 640 /mnt/a/two",
    );
    expect(readFileSync(inFolder("a/two"), "utf8")).toBe("one\n");
    expect(statSync(inFolder("a/two")).mode & 0o777).toBe(0o640);
    await guest.run("rm -r /mnt/a && truncate -s 1000 /mnt/written");
    expect(readdirSync(folder).sort()).toEqual(["below", "greeting", "link", "written"]);
    expect(Buffer.compare(readFileSync(inFolder("written")), written.subarray(0, 1000))).toBe(0);
  });

  it("is let go of while it is mounted, and taken anew", async () => {
    const { guest } = session;
    const bind = await unbind(session, "virtiofs");
    expect((await guest.attempt("cat /mnt/below/large")).output).toContain("not connected");
    await guest.run("umount /mnt", PATIENCE);
    await bind();
    await guest.run("mount -t virtiofs shared /mnt", PATIENCE);
    expect(await guest.run("sha256sum </mnt/below/large", PATIENCE)).toBe(`${sha256(large)}  -`);
    await guest.run("umount /mnt", PATIENCE);
  });
}
