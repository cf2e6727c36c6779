import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openCryptoEngine } from "../../../src/serve/crypto/crypto-engine.js";
import { openSharedDirectory } from "../../../src/serve/shared-directory.js";
import type { ServedDevice } from "../../../src/serve/served-device.js";
import { openSocketBridge } from "../../../src/serve/vsock/socket-bridge.js";
import { ScsiDisk } from "../linux/scsi-disk.js";
import { judgeBalloon } from "./balloon-tests.js";
import { CountedBalloon } from "./counted-balloon.js";
import { judgeCrypto } from "./crypto-tests.js";
import { judgeFileSystem } from "./fs-tests.js";
import { judgeScreen } from "./screen-tests.js";
import { Screen } from "./screen.js";
import { judgeScsi } from "./scsi-tests.js";
import { requireV86, V86Guest } from "./v86-guest.js";
import type { V86Session } from "./v86-session.js";
import { judgeVsock } from "./vsock-tests.js";

const GUEST_CID = 42;

describe.runIf(await requireV86()).each([
  { rings: "split", features: [], kernelArguments: "", poison: undefined },
  // Here the kernel fills each page that it frees, and looks whether it is as it was when it uses the page again.
  { rings: "packed", features: ["RING_PACKED"], kernelArguments: "page_poison=1", poison: 0xaa },
] as const)(
  "more drivers of Linux and generated devices on v86's PCI bus, with $rings rings",
  { timeout: 900_000 },
  ({ features, kernelArguments, poison }) => {
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-v86-"));
    const [shared, path] = [join(folder, "shared"), join(folder, "vsock")];
    mkdirSync(shared);
    const problems: string[] = [];
    const onError = (error: Error): void => void problems.push(error.message);
    const balloon = new CountedBalloon(features);
    const disk = new ScsiDisk(16 << 20, 2, features);
    const directory = openSharedDirectory({ path: shared, tag: "shared", features, onError });
    const engine = openCryptoEngine({ features, onError });
    const screen = new Screen(640, 480, features);
    let bridge: ServedDevice | undefined;
    let guest: V86Guest | undefined;
    const session: V86Session = {
      get guest() {
        if (guest === undefined) throw new Error("the guest has not been started");
        return guest;
      },
      problems,
    };
    beforeAll(async () => {
      bridge = await openSocketBridge({ path, guestCid: GUEST_CID, features, onError });
      disk.device.onProtocolError = onError;
      screen.device.onProtocolError = onError;
      const devices = [balloon.device, disk.device, bridge.device, directory.device, engine.device, screen.device];
      guest = await V86Guest.start(devices, ["virtio_pci"], { kernelArguments });
      balloon.memory = guest.memory;
      screen.memory = guest.memory;
    }, 900_000);
    afterEach((context) => {
      if (context.task.result?.state !== "fail") return;
      console.error([...problems, ...balloon.problems, ...balloon.mistakes, guest?.account()].join("\n"));
    });
    afterAll(async () => {
      await guest?.close();
      await bridge?.close();
      await directory.close();
      await engine.close();
      rmSync(folder, { recursive: true, force: true });
    });

    describe("balloon", () => judgeBalloon(session, balloon, poison));
    describe("SCSI", () => judgeScsi(session, disk));
    describe("sockets", () => judgeVsock(session, path));
    describe("file system", () => judgeFileSystem(session, shared));
    describe("screen", () => judgeScreen(session, screen));
    describe("crypto", () => judgeCrypto(session, engine));

    it("has found each device with its features, and nobody complains", async () => {
      // The failing handler of the disk is told of, and nothing else.
      expect(problems.filter((problem) => !problem.includes("nobody reads this"))).toEqual([]);
      expect(await session.guest.run("dmesg | grep -E 'pagealloc|BUG:|WARNING:|Oops' || true")).toBe("");
      const bits = (await session.guest.run("cat /sys/bus/virtio/devices/virtio*/features")).split("\n");
      const packed = bits.map((text) => text[34]);
      expect(packed).toEqual(packed.map(() => (features.length > 0 ? "1" : "0")));
      expect(packed).toHaveLength(6);
    });
  },
);
