import { afterAll } from "vitest";
import { subjectsOf, testMessages, type Generated } from "../generated/message-properties.js";
import { LoadedModules, requireModel, strangeDevice, strangeNames } from "./generated.js";

/* The properties of messages that hold for the devices of the specification hold for those that nobody has seen. */

const modules = new LoadedModules();
afterAll(() => modules.remove());

const devices: Generated[] = [];
for (const name of strangeNames) {
  const strange = await strangeDevice(name);
  const model = requireModel(strange);
  const module = await modules.load(strange);
  for (const device of model.devices) devices.push({ model, device, module });
}

testMessages(await subjectsOf(devices));
