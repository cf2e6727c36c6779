import { afterEach, describe, expect, it, vi } from "vitest";
import { EntropyDevice } from "../../../../generated/entropy.js";

const device = (): EntropyDevice => new EntropyDevice({ requestq: (request) => request.complete() });
const { platform } = process;

afterEach(() => {
  vi.doUnmock("koffi");
  vi.resetModules();
  Object.defineProperty(process, "platform", { value: platform });
});

async function reasonOf(): Promise<string> {
  vi.resetModules();
  const { PosixUnavailableError, serve } = await import("../../../../src/runtime/transport/vhost-user/index.js");
  const error: unknown = await serve(device(), { socket: "/nowhere/socket" }).then(
    () => "it is served",
    (reason: unknown) => reason,
  );
  return error instanceof PosixUnavailableError ? `${error.reason}: ${error.message}` : String(error);
}

describe("where there are no system calls", () => {
  it("says that koffi is missing, and how to get it", async () => {
    vi.doMock("koffi", () => {
      throw new Error("Cannot find package 'koffi'");
    });
    expect(await reasonOf()).toMatch(/^koffi-missing: .*npm install koffi/);
  });

  it("says that it needs Linux", async () => {
    Object.defineProperty(process, "platform", { value: "darwin" });
    expect(await reasonOf()).toMatch(/^not-linux: .*Linux/);
  });
});
