import { randomBytes } from "node:crypto";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { join } from "node:path";
import { BLK_DEVICE_ID, BlkDriver } from "../../../generated/blk.js";
import {
  connect,
  type ConnectOptions,
  type VhostUserDriverTransport,
} from "../../../src/runtime/transport/vhost-user/front-end/index.js";
import { MessageChannel, ProtocolFeature } from "../../../src/runtime/transport/vhost-user/protocol/index.js";
import { FeatureSet } from "../../../src/runtime/index.js";
import { loadKoffi } from "../../../src/runtime/transport/posix/koffi.js";
import { useAtRandom } from "../../runtime/fixtures/random-requests.js";
import { requirePeer } from "../peers.js";
import { withFolder, withImage } from "../qemu/machine.js";
import { until } from "../qemu/until.js";
import { missingProgram, withPeer } from "./peer-process.js";

/** Protocol features that the front end does without. */
const withheld: { features: readonly number[] } = vi.hoisted(() => ({ features: [] }));
vi.mock(import("../../../src/runtime/transport/vhost-user/front-end/connect-options.js"), async (original) => {
  const actual = await original();
  const wantedOf: typeof actual.wantedOf = (options) =>
    actual.wantedOf(options).without(FeatureSet.of(withheld.features));
  return { ...actual, wantedOf };
});

const PROGRAM = "qemu-storage-daemon";
const SECTOR = 512;
const SIZE = 4 << 20;

interface Disk {
  readonly transport: VhostUserDriverTransport;
  readonly image: { read(): Promise<Uint8Array> };
  readonly kill: () => Promise<void>;
  /** Runs another daemon, after this one was killed, for as long as the work takes. */
  readonly again: (work: () => Promise<void>) => Promise<void>;
}

/** An image, served by the storage daemon, and a connection to it. */
async function onDisk<T>(
  bytes: Uint8Array,
  work: (disk: Disk) => Promise<T>,
  options: Partial<ConnectOptions> = {},
): Promise<T> {
  return await withImage(bytes, (image) =>
    withFolder(async (folder) => {
      const socket = join(folder, "disk");
      const arguments_ = [
        ...["--blockdev", `driver=file,node-name=disk,filename=${image.path}`],
        "--export",
        `type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=${socket},writable=on,num-queues=2`,
      ];
      return await withPeer(PROGRAM, arguments_, socket, async ({ kill }) => {
        const transport = await connect(socket, { deviceId: BLK_DEVICE_ID, ...options });
        const again: Disk["again"] = (next) => withPeer(PROGRAM, arguments_, socket, next);
        try {
          return await work({ transport, image, kill, again });
        } finally {
          transport.close();
        }
      });
    }),
  );
}

const peer = await requirePeer("QEMU's storage daemon (qemu-utils)", async () => {
  if ((await loadKoffi()) === undefined) return "koffi is not installed";
  return missingProgram(PROGRAM);
});

describe.runIf(peer)("the generated disk driver with QEMU's storage daemon", { timeout: 900_000 }, () => {
  it("reads the configuration", async () => {
    await onDisk(new Uint8Array(SIZE), async ({ transport }) => {
      const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH", "BLK_SIZE", "SEG_MAX"] });
      expect(driver.config.capacity).toBe(BigInt(SIZE / SECTOR));
      expect(driver.config.blkSize).toBe(512);
      expect(driver.requestqs.length).toBe(2);
      await driver.stop();
    });
  });

  it.each([
    { rings: "plain rings", withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
    { rings: "rings with indirect descriptors and event indexes", withhold: [] },
  ] as const)("reads, writes and flushes at random: $rings", async ({ withhold }) => {
    const model = Buffer.from(randomBytes(SIZE));
    await onDisk(Uint8Array.from(model), async ({ transport, image }) => {
      const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH"], withhold });
      await useAtRandom(driver, model, 60);
      expect(await driver.requestq.submit({ type: "FLUSH", sector: 0n })).toEqual({ status: "OK" });
      expect(Buffer.compare(Buffer.from(await image.read()), model)).toBe(0);
      await driver.stop();
    });
  });

  it.each([
    { way: "as a slot", withhold: [], expected: ["GET_MAX_MEM_SLOTS", "ADD_MEM_REG"] },
    { way: "as a table", withhold: [ProtocolFeature.CONFIGURE_MEM_SLOTS], expected: ["SET_MEM_TABLE"] },
  ])("works in memory that it is given $way", async ({ withhold, expected }) => {
    const sent = vi.spyOn(MessageChannel.prototype, "request");
    withheld.features = withhold;
    onTestFinished(() => {
      withheld.features = [];
      vi.restoreAllMocks();
    });
    const model = Buffer.from(randomBytes(SIZE));
    await onDisk(Uint8Array.from(model), async ({ transport, image }) => {
      const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH"] });
      await useAtRandom(driver, model, 20);
      expect(await driver.requestq.submit({ type: "FLUSH", sector: 0n })).toEqual({ status: "OK" });
      expect(Buffer.compare(Buffer.from(await image.read()), model)).toBe(0);
      await driver.stop();
    });
    expect(sent.mock.calls.map(([name]) => String(name)).filter((name) => name.includes("MEM"))).toEqual(expected);
  });

  it("can be started again after a reset", async () => {
    await onDisk(new Uint8Array(SIZE).fill(0x5a), async ({ transport }) => {
      for (let round = 0; round < 5; round++) {
        const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH"] });
        const { data } = await driver.requestq.submit({ type: "IN", sector: 0n, data: 512 });
        expect(data.every((byte) => byte === 0x5a)).toBe(true);
        await driver.stop();
      }
    });
  });

  it("finds out that the daemon was killed", async () => {
    await onDisk(new Uint8Array(SIZE), async ({ transport, kill }) => {
      const problems: string[] = [];
      const onError = (error: Error): void => void problems.push(error.message);
      const driver = await BlkDriver.start(transport, { features: ["FLUSH"], onError });
      await kill();
      await until(() => !transport.connected);
      await expect(driver.requestq.submit({ type: "FLUSH", sector: 0n })).rejects.toThrow();
      expect(problems).toEqual([expect.stringContaining("device-needs-reset")]);
    });
  });

  it("is connected to the next daemon; it offers no inflight region, so the device needs a reset in between", async () => {
    let returned = 0;
    const work = async ({ transport, kill, again }: Disk): Promise<void> => {
      const problems: string[] = [];
      const onError = (error: Error): void => void problems.push(error.message);
      const driver = await BlkDriver.start(transport, { features: ["FLUSH"], onError });
      const data = randomBytes(512);
      expect(await driver.requestq.submit({ type: "OUT", sector: 5n, data })).toEqual({ status: "OK" });
      for (let round = 1; round <= 3; round++) {
        await kill();
        await again(async () => {
          await until(() => returned === round && problems.length === round);
          expect(problems.at(-1)).toContain("device-needs-reset");
          await expect(driver.requestq.submit({ type: "FLUSH", sector: 0n })).rejects.toThrow("device-needs-reset");
          await driver.recover();
          const reply = await driver.requestq.submit({ type: "IN", sector: 5n, data: 512 });
          expect(data.equals(reply.data)).toBe(true);
        });
      }
      await driver.stop();
    };
    await onDisk(new Uint8Array(SIZE), work, { reconnect: { onReturn: () => returned++ } });
  });
});
