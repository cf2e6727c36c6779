import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../src/compiler/compile.js";
import { DeviceScope } from "../../src/emit/typescript/device-scope.js";
import type { QueueShape } from "../../src/emit/typescript/queues.js";
import { requestShape } from "../../src/emit/typescript/request-shapes.js";
import { AdminDevice, AdminDriver } from "./admin-ends.js";
import { HandWritten, Pair } from "./message-pair.js";
import { subjectsOf, testMessages, type Generated } from "./message-properties.js";

/* Every message of every device in dsl/. */

const dsl = new URL("../../dsl/", import.meta.url);
const sources = readdirSync(dsl)
  .filter((name) => name.endsWith(".virtio"))
  .map((name) => ({ name, text: readFileSync(new URL(name, dsl), "utf8") }));
const { model } = compile(sources);
if (model === undefined) throw new Error("dsl/ does not compile");

const devices: Generated[] = [];
for (const device of model.devices.filter(({ id }) => id !== null)) {
  const module: unknown = await import(`../../generated/${device.name.replaceAll("_", "-")}.ts`);
  devices.push({ model, device, module });
}
const subjects = await subjectsOf(devices);

// What all devices share has requests and no queue: here they have one of a device that is written for it.
for (const device of model.devices.filter(({ id }) => id === null)) {
  const scope = new DeviceScope(device, model, []);
  const [like] = subjects.flatMap(({ queues }) => queues.filter(({ direction }) => direction === "toDevice"));
  if (like === undefined) throw new Error("no queue for requests");
  const queues = device.requests.map((request): QueueShape => {
    const queue = { ...like.model, name: "adminq", message: request.name, many: false };
    return { ...like, model: queue, name: "adminq", plural: "", request: requestShape(request, scope), struct: undefined };
  });
  const module = { [`${scope.prefix}Device`]: AdminDevice, [`${scope.prefix}Driver`]: AdminDriver };
  const pair = await Pair.start(module, scope, queues, []);
  subjects.push({ name: device.name, scope, queues, benches: [{ pair, hand: new HandWritten(module, scope, queues, pair) }] });
}

test("all devices are there", () => {
  expect(subjects.length).toBeGreaterThan(20);
});

testMessages(subjects);
