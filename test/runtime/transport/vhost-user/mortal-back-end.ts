// A back end of its own process, to be killed: answers requests late and out of order, and writes down each that it did.
import { appendFileSync } from "node:fs";
import { BlkDevice } from "../../../../generated/blk.js";
import { serve } from "../../../../src/runtime/transport/vhost-user/index.js";

const [socket = "", log = "", slowness = "0", certain = "0"] = process.argv.slice(2);
let taken = 0;
const device = new BlkDevice({
  features: ["RING_PACKED", "IN_ORDER", "RING_RESET"],
  queueSize: 4096,
  config: { capacity: 4096n },
  async requestq(request) {
    // Some at once, some a little later, some (almost) never; but none of the first ones.
    const chance = Math.random() * (++taken > Number(certain) ? 1 : 0.8);
    const delay = Number(slowness) * (chance < 0.3 ? 0 : chance < 0.8 ? 20 * Math.random() : 100_000);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    if (!request.live || request.type !== "OUT") return;
    appendFileSync(log, `${String(request.sector)}\n`);
    return request.complete("OK");
  },
});
await serve(device, { socket, ringReset: true, stopTimeout: 300 });
