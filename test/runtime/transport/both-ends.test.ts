import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  type CommonFeatureName,
  type DriverTransport,
  type ProtocolError,
} from "../../../src/runtime/index.js";
import type { GuestMemory } from "../../../src/runtime/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { mmioMachine, pciMachine } from "./machines.js";

interface Opened {
  readonly memory: GuestMemory;
  readonly errors: ProtocolError[];
  open(): Promise<DriverTransport>;
}

/** Each way to connect a device and a driver through registers. */
const transports: Record<string, (device: EchoDevice) => Opened> = {
  "PCI, interrupt line": (device) => pciMachine(device),
  "PCI, MSI-X": (device) => pciMachine(device, { messages: true }),
  "PCI, one MSI-X vector": (device) => pciMachine(device, { messages: true, vectors: 1 }),
  "PCI, I/O ports": (device) => pciMachine(device, { bar: "io" }),
  MMIO: (device) => mmioMachine(device),
};

/** Each ring and each form of notification; a transport leaves out what it has no register for. */
const forms: readonly (readonly CommonFeatureName[])[] = [
  [],
  ["NOTIFICATION_DATA"],
  ["RING_PACKED", "NOTIFICATION_DATA"],
  ["IN_ORDER", "NOTIF_CONFIG_DATA"],
  ["RING_PACKED", "IN_ORDER", "NOTIFICATION_DATA", "NOTIF_CONFIG_DATA"],
];

const CONFIG = { level: 3, maxData: 4096 };

describe.each(Object.entries(transports))("over %s", (name, connect) => {
  it.each(forms.map((form) => [form.join(" ") || "a split ring", form] as const))(
    "both sides work: %s",
    async (_, form) => {
      const errors: Error[] = [];
      const features = ["COUNT", "MERGE", ...form] as const;
      const isPacked = form.includes("RING_PACKED");
      const device = new EchoDevice({
        features,
        config: CONFIG,
        queueSize: isPacked ? 13 : 16,
        requestq(request) {
          if (request.operation !== "ECHO") throw new Error("not asked for");
          request.reply.write(request.data.toUint8Array());
          return request.complete("OK");
        },
        onProtocolError: (error) => errors.push(error),
      });
      const machine = connect(device);
      const driver = await EchoDriver.start(await machine.open(), { features });
      const lacking = name === "MMIO" ? form.filter((feature): boolean => feature === "NOTIF_CONFIG_DATA") : [];
      expect(driver.dropped).toEqual(lacking);
      for (const feature of form) {
        expect(device.negotiated.has(CommonFeature[feature])).toBe(!lacking.includes(feature));
      }
      expect(device.queue(0)?.addresses?.size).toBe(isPacked ? 13 : 16);
      expect(driver.config.level).toBe(CONFIG.level);
      const texts = Array.from({ length: 50 }, (_unused, index) =>
        new TextEncoder().encode(`message ${String(index)}`),
      );
      const replies = await Promise.all(
        texts.map((data) => driver.requestq.submit({ operation: "ECHO", cookie: 7n, data, reply: data.length })),
      );
      for (const [index, reply] of replies.entries())
        expect(reply).toMatchObject({ status: "OK", reply: texts[index] });

      const changed = new Promise((resolve) => (driver.onConfigChange = resolve));
      device.config.level = 9;
      await changed;
      expect(driver.config.level).toBe(9);

      await driver.stop();
      expect(device.status).toBe(0);
      expect(errors).toEqual([]);
      expect(machine.errors).toEqual([]);
    },
  );
});
