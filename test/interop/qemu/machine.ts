import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  QemuMicrovm,
  QemuPc,
  type QemuMicrovmOptions,
  type QemuPcOptions,
} from "../../../src/runtime/transport/qtest/index.js";
import { loadKoffi } from "../../../src/runtime/transport/posix/koffi.js";
import { requirePeer } from "../peers.js";

/** The QEMU whose devices are driven; another one than the installed one by the environment. */
export const qemuProgram = process.env["VIRTIO_GEN_QEMU"] ?? "qemu-system-x86_64";

/** No test waits for the end of these, in milliseconds. */
const PATIENT = { startTimeout: 120_000, answerTimeout: 120_000 };

/** Asks for QEMU (and koffi, for its memory) at the top of a suite: `describe.runIf(await requireQemu())`. */
export function requireQemu(): Promise<boolean> {
  return requirePeer(`QEMU (${qemuProgram})`, async () => {
    const { status, error } = spawnSync(qemuProgram, ["--version"], { encoding: "utf8" });
    if (error !== undefined || status !== 0) return "it cannot be run";
    return (await loadKoffi()) === undefined ? "koffi is not installed" : undefined;
  });
}

/** Runs `work` on a PC of QEMU's with these devices, which is gone afterwards. What QEMU printed is part of a failure. */
export async function onPc<T>(
  devices: readonly string[],
  work: (machine: QemuPc) => Promise<T>,
  options: Omit<QemuPcOptions, "arguments"> = {},
): Promise<T> {
  return await withMachine(
    await QemuPc.start({ program: qemuProgram, ...PATIENT, ...options, arguments: devices }),
    work,
  );
}

/** The same on a microvm, whose devices are behind MMIO registers. */
export async function onMicrovm<T>(
  devices: readonly string[],
  work: (machine: QemuMicrovm) => Promise<T>,
  options: Omit<QemuMicrovmOptions, "arguments"> = {},
): Promise<T> {
  return await withMachine(
    await QemuMicrovm.start({ program: qemuProgram, ...PATIENT, ...options, arguments: devices }),
    work,
  );
}

async function withMachine<M extends QemuPc | QemuMicrovm, T>(
  machine: M,
  work: (machine: M) => Promise<T>,
): Promise<T> {
  try {
    return await work(machine);
  } catch (error) {
    const { output } = machine.qemu;
    if (output !== "" && error instanceof Error) error.message += `\nQEMU printed:\n${output}`;
    throw error;
  } finally {
    await machine.close();
  }
}

/** A folder for a test's files, gone afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "virtio-gen-interop-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A disk image with these bytes. */
export async function withImage<T>(
  bytes: Uint8Array,
  work: (image: { path: string; read(): Promise<Uint8Array> }) => Promise<T>,
): Promise<T> {
  return await withFolder(async (folder) => {
    const path = join(folder, "disk.img");
    await writeFile(path, bytes);
    return await work({ path, read: () => readFile(path) });
  });
}
