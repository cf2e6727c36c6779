import { BALLOON_DEVICE_ID, BalloonDriver, BalloonFeature } from "../../generated/balloon.js";
import { BLK_DEVICE_ID, BlkDriver, BlkFeature } from "../../generated/blk.js";
import { CONSOLE_DEVICE_ID, ConsoleDriver, ConsoleFeature } from "../../generated/console.js";
import { ENTROPY_DEVICE_ID, EntropyDriver } from "../../generated/entropy.js";
import { GPU_DEVICE_ID, GpuDriver, GpuFeature } from "../../generated/gpu.js";
import { INPUT_DEVICE_ID, InputDriver } from "../../generated/input.js";
import { IOMMU_DEVICE_ID, IommuDriver, IommuFeature } from "../../generated/iommu.js";
import { MEM_DEVICE_ID, MemDriver, MemFeature } from "../../generated/mem.js";
import { NET_DEVICE_ID, NetDriver, NetFeature } from "../../generated/net.js";
import { PMEM_DEVICE_ID, PmemDriver, PmemFeature } from "../../generated/pmem.js";
import { SCSI_DEVICE_ID, ScsiDriver, ScsiFeature } from "../../generated/scsi.js";
import { VSOCK_DEVICE_ID, VsockDriver, VsockFeature } from "../../generated/vsock.js";
import type { DriverTransport } from "../runtime/index.js";

/** A driver as far as a probe needs it. */
interface RunningDriver {
  readonly config: object | undefined;
  stop(): Promise<void>;
}

/** What is known of a device type from its definition. */
export interface KnownDevice {
  readonly name: string;
  /** Bits by name. */
  readonly features: Readonly<Record<string, number>>;
  /** Starts the generated driver with those of its features that have these bits. */
  start(transport: DriverTransport, bits: ReadonlySet<number>): Promise<RunningDriver>;
}

function known<Name extends string>(
  name: string,
  features: Readonly<Record<Name, number>>,
  start: (
    transport: DriverTransport,
    options: { readonly features: readonly Name[]; readonly onError: () => void },
  ) => Promise<RunningDriver>,
): KnownDevice {
  const isName = (word: string): word is Name => Object.hasOwn(features, word);
  return {
    name,
    features,
    start: (transport, bits) => {
      const names = Object.keys(features).filter(isName);
      return start(transport, { features: names.filter((word) => bits.has(features[word])), onError: () => undefined });
    },
  };
}

/** By device number. */
export const knownDevices: ReadonlyMap<number, KnownDevice> = new Map([
  [NET_DEVICE_ID, known("net", NetFeature, (transport, options) => NetDriver.start(transport, options))],
  [BLK_DEVICE_ID, known("blk", BlkFeature, (transport, options) => BlkDriver.start(transport, options))],
  [
    CONSOLE_DEVICE_ID,
    known("console", ConsoleFeature, (transport, options) => ConsoleDriver.start(transport, options)),
  ],
  [ENTROPY_DEVICE_ID, known("entropy", {}, (transport, options) => EntropyDriver.start(transport, options))],
  [
    BALLOON_DEVICE_ID,
    known("balloon", BalloonFeature, (transport, options) => BalloonDriver.start(transport, options)),
  ],
  [SCSI_DEVICE_ID, known("scsi", ScsiFeature, (transport, options) => ScsiDriver.start(transport, options))],
  [GPU_DEVICE_ID, known("gpu", GpuFeature, (transport, options) => GpuDriver.start(transport, options))],
  [INPUT_DEVICE_ID, known("input", {}, (transport, options) => InputDriver.start(transport, options))],
  [VSOCK_DEVICE_ID, known("vsock", VsockFeature, (transport, options) => VsockDriver.start(transport, options))],
  [IOMMU_DEVICE_ID, known("iommu", IommuFeature, (transport, options) => IommuDriver.start(transport, options))],
  [MEM_DEVICE_ID, known("mem", MemFeature, (transport, options) => MemDriver.start(transport, options))],
  [PMEM_DEVICE_ID, known("pmem", PmemFeature, (transport, options) => PmemDriver.start(transport, options))],
]);
