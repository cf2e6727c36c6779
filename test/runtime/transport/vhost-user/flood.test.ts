import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk } from "./served-disk.js";

/** Sends SET_OWNER, which nobody has to wait for, as fast as another thread can. */
const flood = `
  const { connect } = require("node:net");
  const { workerData } = require("node:worker_threads");
  const message = Buffer.from(Uint32Array.of(3, 1, 0).buffer);
  const many = Buffer.concat(Array.from({ length: 4096 }, () => message));
  const socket = connect(workerData);
  const write = () => { while (socket.write(many)); };
  socket.on("connect", write).on("drain", write).on("error", () => undefined);
`;

describe.runIf(await requireVhostUser())("a front end that sends more than can be served", () => {
  it("does not keep others of the process waiting", async () => {
    const { path, ends, served } = await serveDisk();
    const worker = new Worker(flood, { eval: true, workerData: path });
    await until(() => served.connected, "a front end");
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await until(() => turns > 20, "turns of others").finally(() => clearInterval(timer));
    expect(served.connected).toBe(true);
    await worker.terminate();
    await until(() => ends.length === 1);
  });
});
