import { describe, expect, it, vi } from "vitest";
import { BlkDevice, BlkDriver } from "../../../../generated/blk.js";
import { FeatureSet } from "../../../../src/runtime/index.js";
import { ProtocolFeature } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { openVhostUser } from "./both-ends.js";
import { until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";

const SECTOR = 512;

// A back end that can say in one way only that something is wrong: it has no status, and no channel of its own.
vi.mock(
  import("../../../../src/runtime/transport/vhost-user/back-end/offered-protocol-features.js"),
  async (original) => {
    const { offeredProtocolFeatures } = await original();
    const silent = FeatureSet.of([ProtocolFeature.STATUS, ProtocolFeature.BACKEND_REQ]);
    return { offeredProtocolFeatures: (...of) => offeredProtocolFeatures(...of).without(silent) };
  },
);

describe.runIf(await requireVhostUser())("a ring that breaks on the device's side", () => {
  it.each([
    { rings: "split", features: [] },
    { rings: "packed", features: ["RING_PACKED"] },
  ] as const)("is known to the driver by its eventfd, and recovers: $rings", async ({ features }) => {
    const before = openFiles();
    let isHeld = true;
    const broken: string[] = [];
    const device = new BlkDevice({
      features: ["MQ", "RING_PACKED"],
      config: { capacity: 64n, numQueues: 2 },
      requestq(request) {
        if (isHeld) return new Promise(() => undefined);
        if (request.type !== "IN") return request.complete("UNSUPP");
        request.data.write(new Uint8Array(SECTOR).fill(Number(request.sector)));
        return request.complete("OK");
      },
    });
    device.onProtocolError = ({ message }) => broken.push(message);
    const transport = await openVhostUser(device);
    const enabled = vi.spyOn(transport, "enableQueue");
    const errors: string[] = [];
    const driver = await BlkDriver.start(transport, {
      ...{ features: ["MQ", ...features], withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
      onError: ({ message }) => void errors.push(message),
    });
    const queues = [...driver.requestqs, ...driver.requestqs];
    const requests = queues.map((queue) => queue.submit({ type: "IN", sector: 1n, data: SECTOR }));
    const failures = Promise.allSettled(requests);
    // In the second ring there is something that cannot be: 1,000 buffers, or a table, which was not agreed on.
    const { descriptor, driver: area } = enabled.mock.calls[1]?.[1] ?? { descriptor: 0, driver: 0 };
    const region = transport.memory.locate(area, 4);
    if (region === undefined) throw new Error("there is no second ring");
    const { view, start } = region;
    if (features.length === 0) view.setUint16(area - start + 2, 1000, true);
    else {
      let next = descriptor - start;
      while (view.getUint16(next + 14, true) !== 0) next += 16;
      view.setUint16(next + 14, 0x84, true);
    }
    transport.notify(1);
    for (const result of await failures) {
      expect(result).toMatchObject({ status: "rejected", reason: { rule: "device-needs-reset" } });
    }
    expect(broken).toHaveLength(1);
    expect(errors).toEqual([expect.stringContaining("device-needs-reset")]);

    isHeld = false;
    await driver.recover();
    for (const queue of driver.requestqs) {
      const { status, data } = await queue.submit({ type: "IN", sector: 7n, data: SECTOR });
      expect([status, data.every((byte) => byte === 7)]).toEqual(["OK", true]);
    }
    await driver.stop();
    expect(errors).toHaveLength(1);
    transport.close();
    // The socket that is listened on stays.
    await until(() => openFiles() <= before + 1, "as few open files as before");
  });
});
