import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { EntropyDriver } from "../../generated/entropy.js";
import { CommonFeature } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { openCryptoEngine } from "../../src/serve/crypto/crypto-engine.js";
import { openImageDisk } from "../../src/serve/image-disk.js";
import { openKeyboard } from "../../src/serve/keyboard.js";
import { openStreamNetwork } from "../../src/serve/network/stream-network.js";
import { openRandomSource } from "../../src/serve/random-source.js";
import type { ServedDevice, ServedDeviceOptions } from "../../src/serve/served-device.js";
import { openSharedDirectory } from "../../src/serve/shared-directory.js";
import { openSocketBridge } from "../../src/serve/vsock/socket-bridge.js";
import { temporaryFolder } from "./folder.js";

const kinds: Readonly<
  Record<string, (folder: string, options: ServedDeviceOptions) => ServedDevice | Promise<ServedDevice>>
> = {
  crypto: (_, options) => openCryptoEngine(options),
  disk(folder, options) {
    const path = join(folder, "image");
    writeFileSync(path, new Uint8Array(4096));
    return openImageDisk({ ...options, path });
  },
  directory: (path, options) => openSharedDirectory({ ...options, path }),
  keyboard: (_, options) => openKeyboard(options),
  async network(folder, options) {
    const path = join(folder, "peer");
    const peer = createServer();
    await new Promise<void>((resolve) => peer.listen(path, resolve));
    onTestFinished(() => void peer.close());
    return await openStreamNetwork({ ...options, path });
  },
  random: (_, options) => openRandomSource(options),
  sockets: (folder, options) => openSocketBridge({ ...options, path: join(folder, "sockets"), guestCid: 3 }),
};

test.each(Object.entries(kinds))("%s: offers packed rings when it is told to", async (_, open) => {
  for (const isOffered of [false, true]) {
    const served = await open(temporaryFolder(), isOffered ? { features: ["RING_PACKED"] } : {});
    expect(served.device.offered.has(CommonFeature.RING_PACKED)).toBe(isOffered);
    await served.close();
  }
});

test("a served device works with a packed ring", async () => {
  const source = openRandomSource({ features: ["RING_PACKED"] });
  const driver = await EntropyDriver.start(loopback(source.device), { features: ["RING_PACKED"] });
  expect(driver.negotiated.has(CommonFeature.RING_PACKED)).toBe(true);
  expect((await driver.requestq.submit({ data: 64 })).data).toHaveLength(64);
  await driver.stop();
  await source.close();
});
