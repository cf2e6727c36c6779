import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CryptoDriver } from "../../../generated/crypto.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { openCryptoEngine } from "../../../src/serve/crypto/crypto-engine.js";
import { exerciseAes, exerciseChain } from "./aes-sessions.js";
import { onPc, requireQemu, withFolder } from "./machine.js";
import { until } from "./until.js";

const frontEnd = (socket: string): string[] => [
  ...["-chardev", `socket,id=c,path=${socket}`, "-object", "cryptodev-vhost-user,id=engine,chardev=c"],
  ...["-device", "virtio-crypto-pci,cryptodev=engine,vectors=0"],
];

describe.runIf(await requireQemu())("a generated crypto device behind QEMU's cryptodev-vhost-user", () => {
  // QEMU does not pass on which of these the driver has accepted.
  it.each([
    { driver: "with all that the ring has", withhold: [] },
    { driver: "without event indexes", withhold: ["EVENT_IDX"] },
    { driver: "without indirect descriptors", withhold: ["INDIRECT_DESC"] },
    { driver: "with a plain ring", withhold: ["EVENT_IDX", "INDIRECT_DESC"] },
  ] as const)(
    "has the sessions that QEMU sends as messages, for a driver $driver",
    { timeout: 900_000 },
    async ({ withhold }) => {
      await withFolder(async (folder) => {
        const errors: Error[] = [];
        const note = (error: Error | undefined): void => {
          if (error !== undefined) errors.push(error);
        };
        const engine = openCryptoEngine({ onError: note });
        const socket = join(folder, "s");
        const served = await serve(engine.device, { socket, onError: note, onDisconnect: note });
        for (let machines = 0; machines < 2; machines++) {
          await onPc(frontEnd(socket), async (machine) => {
            const driver = await CryptoDriver.start(await machine.open(20), { withhold });
            for (const length of [16, 24, 32]) {
              const [opened, requests] = [engine.opened, engine.served];
              await exerciseAes(driver, length);
              expect([engine.opened - opened, engine.served - requests]).toEqual([2, 14]);
              await until(() => engine.sessions === 0);
              // The ring goes on where it was, and the device with it.
              await machine.qemu.qmp.execute("stop");
              await machine.qemu.qmp.execute("cont");
            }
            for (const hashMode of ["AUTH", "PLAIN"] as const) await exerciseChain(driver, hashMode);
            await until(() => engine.sessions === 0);
            await driver.stop();
          });
          await until(() => !served.connected);
        }
        await served.close();
        expect(errors).toEqual([]);
      });
    },
  );
});
