import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createMemoryFile,
  loadSystemCalls,
  SharedMapping,
  SystemCallError,
  UserFaults,
} from "../../../../src/runtime/transport/posix/index.js";
import { requireUserFaults } from "../../../interop/user-faults.js";
import { openFiles } from "../../fixtures/process-state.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
});

describe.runIf(await requireUserFaults())("UserFaults", () => {
  it("are those of memory that was registered, as long as anybody has a descriptor", async () => {
    const system = await loadSystemCalls();
    const before = openFiles();
    const faults = new UserFaults(system);
    const file = createMemoryFile(system, "test", 8192);
    const mapping = new SharedMapping(system, file, 0, 8192);
    faults.register(mapping);
    const other = faults.duplicate();
    expect(other).not.toBe(faults.fd);
    faults.close();
    faults.close();
    expect(faults.fd).toBe(-1);
    closeSync(other);
    // With a descriptor open this would not end.
    expect(mapping.view(0, 8192).every((byte) => byte === 0)).toBe(true);
    mapping.release();
    closeSync(file);
    expect(openFiles()).toBe(before);
  });

  it("are not those of a file on a disk", async () => {
    const system = await loadSystemCalls();
    const faults = new UserFaults(system);
    const file = openSync(fileURLToPath(import.meta.url), "r+");
    const mapping = new SharedMapping(system, file, 0, 100);
    expect(() => faults.register(mapping)).toThrow("UFFDIO_REGISTER: EINVAL");
    mapping.release();
    closeSync(file);
    faults.close();
  });

  it.each(["EPERM", "ENOSYS"])("are refused where the system says %s, which is tried once", async (code) => {
    const posix = await import("../../../../src/runtime/transport/posix/index.js");
    const system = await posix.loadSystemCalls();
    const refuse = (): never => {
      throw new posix.SystemCallError("userfaultfd", code === "EPERM" ? 1 : 38);
    };
    const before = openFiles();
    const device = vi.spyOn(system, "ioctl").mockImplementation(refuse);
    const call = vi.spyOn(system, "call").mockImplementation(refuse);
    for (let times = 0; times < 3; times++) expect(posix.canHandOverFaults(system)).toBe(false);
    expect(device.mock.calls.length + call.mock.calls.length).toBe(1);
    expect(openFiles()).toBe(before);
  });

  it("are refused where it has none of shared memory", async () => {
    const system = await loadSystemCalls();
    const before = openFiles();
    // The structure stays as it was made: no feature is there.
    const ioctl = system.ioctl.bind(system);
    vi.spyOn(system, "ioctl").mockImplementation((fd, request, argument, what) =>
      what === "UFFDIO_API" ? 0 : ioctl(fd, request, argument, what),
    );
    expect(() => new UserFaults(system)).toThrow(SystemCallError);
    expect(openFiles()).toBe(before);
  });
});
