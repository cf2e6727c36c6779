import { describe, expect, it } from "vitest";
import { CryptoDriver } from "../../../generated/crypto.js";
import { exerciseAes } from "./aes-sessions.js";
import { onPc, requireQemu } from "./machine.js";

const devices = ["-object", "cryptodev-backend-builtin,id=c0", "-device", "virtio-crypto-pci,cryptodev=c0"];

describe.runIf(await requireQemu())("QEMU's virtio-crypto", () => {
  it.each([16, 24, 32])(
    "AES-CBC in sessions, key of %d bytes, as node:crypto has it",
    { timeout: 900_000 },
    async (length) => {
      await onPc(devices, async (machine) => {
        const errors: Error[] = [];
        const driver = await CryptoDriver.start(await machine.open(20), { onError: (error) => errors.push(error) });
        await exerciseAes(driver, length);
        expect(errors).toEqual([]);
        await driver.stop();
      });
    },
  );
});
