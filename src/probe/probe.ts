import { CommonFeature, type DriverTransport } from "../runtime/index.js";
import { QemuError, QemuMicrovm, QemuPc } from "../runtime/transport/qtest/index.js";
import { knownDevices } from "./known-devices.js";
import { queueResetSuite } from "./queue-reset-suite.js";
import type { DeviceReport, ProbeReport } from "./report.js";

export interface ProbeOptions {
  readonly machine: "pc" | "microvm";
  /** Devices and back ends, as on QEMU's command line. */
  readonly arguments: readonly string[];
  readonly program?: string;
  /** Ends QEMU at once when it is aborted. */
  readonly signal?: AbortSignal;
}

/** The first release whose qtest and QMP have all that is used here. */
const OLDEST = 6;
const MOST_QUEUES = 1024;
/** Requests a second of a disk that is slowed down. */
const SLOW = 10;

/**
 * Starts QEMU and looks at each of its virtio devices.
 * @throws QemuError when QEMU cannot be started, is too old, dies, or has no virtio device.
 */
export async function probe(options: ProbeOptions): Promise<ProbeReport> {
  const start = { arguments: options.arguments, startTimeout: 10_000 };
  const withProgram = options.program === undefined ? start : { ...start, program: options.program };
  // With messages it can be seen what becomes of a queue's vector.
  const machine =
    options.machine === "pc"
      ? await QemuPc.start({ ...withProgram, interrupts: "messages" })
      : await QemuMicrovm.start(withProgram);
  const stop = (): void => void machine.close();
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    if (options.signal?.aborted === true) throw new QemuError("stopped");
    const qemu = await version(machine);
    const devices: DeviceReport[] = [];
    const seen = new Map<number, number>();
    for (const deviceId of await machine.deviceIds()) {
      const nth = seen.get(deviceId) ?? 0;
      seen.set(deviceId, nth + 1);
      devices.push(await probeDevice(machine, await machine.open(deviceId, nth)));
    }
    if (devices.length === 0) throw new QemuError("this machine has no virtio device", machine.qemu.output);
    return { qemu, devices };
  } catch (error) {
    // Whoever was talking to QEMU when it died knows only that the connection ended.
    if (error instanceof QemuError && error.output === "") throw new QemuError(error.message, machine.qemu.output);
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", stop);
    await machine.close();
  }
}

async function version({ qemu }: QemuPc | QemuMicrovm): Promise<string> {
  const answer = (await qemu.qmp.execute("query-version")) as {
    readonly qemu?: { readonly major?: number; readonly minor?: number; readonly micro?: number };
  };
  const { major = 0, minor = 0, micro = 0 } = answer.qemu ?? {};
  const text = `${String(major)}.${String(minor)}.${String(micro)}`;
  if (major < OLDEST) throw new QemuError(`QEMU ${text} is too old; ${String(OLDEST)}.0 or newer is needed`);
  return text;
}

async function probeDevice(machine: QemuPc | QemuMicrovm, transport: DriverTransport): Promise<DeviceReport> {
  const { deviceId } = transport;
  const kind = machine instanceof QemuPc ? "pci" : "mmio";
  const type = knownDevices.get(deviceId);
  const bits = (await transport.getFeatures()).bits();
  const queueSizes: number[] = [];
  while (queueSizes.length < MOST_QUEUES) {
    const size = await transport.queueMaxSize(queueSizes.length);
    if (size === 0) break;
    queueSizes.push(size);
  }
  let config: Readonly<Record<string, unknown>> | undefined;
  let problem: string | undefined;
  try {
    const driver = await type?.start(transport, new Set(bits));
    config = driver?.config === undefined ? undefined : { ...driver.config };
    await driver?.stop();
  } catch (error) {
    if (error instanceof QemuError) throw error;
    problem = error instanceof Error ? error.message : String(error);
  }
  const checks =
    queueSizes.length === 0
      ? []
      : await queueResetSuite({
          transport,
          kind,
          queueSizes,
          offered: new Set(bits),
          slowDown: () => limitDisks(machine, SLOW),
          speedUp: async () => {
            await limitDisks(machine, 0);
          },
        });
  const features = bits.map((bit) => featureName(bit, type?.features ?? {}));
  return { id: deviceId, name: type?.name, transport: kind, features, config, queueSizes, problem, checks };
}

function featureName(bit: number, own: Readonly<Record<string, number>>): string {
  for (const names of [own, CommonFeature as Readonly<Record<string, number>>]) {
    for (const [name, value] of Object.entries(names)) if (value === bit) return name;
  }
  return `bit ${String(bit)}`;
}

/** Limits all disks to so many requests a second, so that they stay in flight; 0: no limit. False: there are no disks. */
async function limitDisks({ qemu }: QemuPc | QemuMicrovm, iops: number): Promise<boolean> {
  const disks = (await qemu.qmp.execute("query-block")) as readonly { readonly qdev?: string }[];
  let count = 0;
  for (const { qdev } of disks) {
    if (qdev === undefined) continue;
    const none = { bps: 0, bps_rd: 0, bps_wr: 0, iops_rd: 0, iops_wr: 0 };
    await qemu.qmp.execute("block_set_io_throttle", { id: qdev, iops, ...none });
    count++;
  }
  return count > 0;
}
