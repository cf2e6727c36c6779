/** Both ends of a device that did not exist before. Run with `npm run example first-device`; README.md explains it. */
import { loopback } from "virtio-gen/runtime/loopback";
import { ThermometerDevice, ThermometerDriver } from "./generated/thermometer.js";

const probes = [
  { name: "window", millikelvin: 281_400 },
  { name: "radiator", millikelvin: 318_900 },
];

const device = new ThermometerDevice({
  features: ["NAMES"],
  config: { probes: probes.length, room: 294 },
  requestq(request) {
    switch (request.operation) {
      case "READ": {
        const probe = probes[request.probe];
        if (!probe) return request.complete("NO_SUCH_PROBE");
        return request.complete({ millikelvin: probe.millikelvin, status: "OK" });
      }
      case "NAME": {
        const probe = probes[request.probe];
        if (!probe) return request.complete("NO_SUCH_PROBE");
        return request.complete({ name: probe.name, status: "OK" });
      }
      default:
        return request.complete("UNSUPPORTED");
    }
  },
});

const driver = await ThermometerDriver.start(loopback(device), { features: ["NAMES"] });
console.log(`${String(driver.config.probes)} probes, the room has ${String(driver.config.room)} K`);

for (let probe = 0; probe < driver.config.probes; probe += 1) {
  const { name } = await driver.requestq.submit({ operation: "NAME", probe });
  const { millikelvin, status } = await driver.requestq.submit({ operation: "READ", probe });
  console.log(`${name}: ${(millikelvin / 1000 - 273.15).toFixed(2)} °C (${String(status)})`);
}
const missing = await driver.requestq.submit({ operation: "READ", probe: 99 });
console.log(`probe 99: ${String(missing.status)}`);

// Somebody opens the window: the device changes its configuration, and the driver is told.
const changed = new Promise<number>((resolve) => {
  driver.onConfigChange = (config) => resolve(config.room);
});
device.config.room = 289;
console.log(`the room now has ${String(await changed)} K`);
await driver.stop();
