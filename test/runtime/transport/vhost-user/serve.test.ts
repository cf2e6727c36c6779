import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { BlkDevice } from "../../../../generated/blk.js";
import { SystemCallError, UnixListener } from "../../../../src/runtime/transport/posix/index.js";
import { serve } from "../../../../src/runtime/transport/vhost-user/index.js";
import { collectGarbage, guestMappings, openFiles } from "../../fixtures/process-state.js";
import { pause, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { answer, SECTORS, serveDisk, type BlkRequest } from "./served-disk.js";

describe.runIf(await requireVhostUser())("serve", () => {
  it("frees everything of a front end that goes away in the middle, 100 times", { timeout: 600_000 }, async () => {
    const held: BlkRequest[] = [];
    const { path, ends } = await serveDisk((request, disk) => {
      if (request.sector === 5n) held.push(request);
      else answer(request, disk);
    });
    const round = async (): Promise<void> => {
      const front = await ScriptedFrontEnd.connect(path);
      await front.setUp();
      const ring = await front.startRing(0);
      ring.submit(5);
      ring.submit(6);
      await ring.completions(1);
      const ended = ends.length;
      front.close();
      await until(() => ends.length > ended);
    };
    await round();
    const before = openFiles();
    for (let i = 0; i < 100; i++) await round();
    await until(() => openFiles() <= before, "as few open files as before");
    expect(new Set(ends)).toEqual(new Set(["closed"]));
    // Those who still have a request do no harm.
    for (const request of held) {
      expect(request.live).toBe(false);
      expect(answer(request, new Uint8Array(SECTORS * 512))).toBe("stale");
    }
    held.length = 0;
    for (let tries = 0; tries < 500 && guestMappings() > 0; tries++) {
      collectGarbage();
      await pause(10);
    }
    expect(guestMappings()).toBe(0);
  });

  it("takes the next front end when one is gone, and not before", async () => {
    const { path, ends, served } = await serveDisk();
    const first = await ScriptedFrontEnd.connect(path);
    await first.setUp();
    expect(served.connected).toBe(true);
    const second = await ScriptedFrontEnd.connect(path);
    second.send("GET_FEATURES", "none", undefined);
    await pause(30);
    expect(second.channel.receive()).toBeUndefined();
    first.close();
    expect((await second.receive()).name).toBe("GET_FEATURES");
    second.close();
    await until(() => ends.length === 2);
  });

  it("tries again after a while, and not all the time, when it cannot let a front end in", async () => {
    const { path, errors } = await serveDisk();
    const EMFILE = 24;
    const accept = vi.spyOn(UnixListener.prototype, "accept").mockImplementation(() => {
      throw new SystemCallError("accept4", EMFILE);
    });
    onTestFinished(() => accept.mockRestore());
    const since = performance.now();
    const front = await ScriptedFrontEnd.connect(path);
    await until(() => errors.length >= 3);
    expect(errors.length).toBeLessThanOrEqual(1 + (performance.now() - since) / 95);
    expect(errors[0]).toMatchObject({ code: "EMFILE" });
    accept.mockRestore();
    await front.setUp();
    expect(await (await front.startRing(0)).readOne(3)).toBe(3);
    front.close();
  });

  it("ends on request: cuts the front end off and removes the socket", async () => {
    const { path, served, device } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    await front.startRing(0);
    await Promise.all([served.close(), served.closed, served.close()]);
    await front.cutOff();
    expect(existsSync(path)).toBe(false);
    expect(device.status).toBe(0);
    front.close();
    const again = await serve(device, { socket: path });
    await again.close();
  });

  it("replaces a socket that is left over, and nothing else", async () => {
    const { path, served, device } = await serveDisk();
    const other = new BlkDevice({ config: { capacity: 1n }, requestq: (request) => request.complete("IOERR") });
    await expect(serve(other, { socket: path })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await served.close();
    writeFileSync(path, "a file");
    await expect(serve(device, { socket: path })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(readFileSync(path, "utf8")).toBe("a file");
    const left = `${path}-left`;
    // A program that ends without removing its socket.
    const program = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", program, left]);
    expect(existsSync(left)).toBe(true);
    const again = await serve(device, { socket: left });
    const front = await ScriptedFrontEnd.connect(left);
    await front.setUp();
    front.close();
    await again.close();
    expect(existsSync(left)).toBe(false);
  });
});
