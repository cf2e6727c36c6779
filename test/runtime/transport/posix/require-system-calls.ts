import { loadSystemCalls } from "../../../../src/runtime/transport/posix/index.js";
import { requirePeer } from "../../../interop/peers.js";

/** Asks for the calls of the system, which take koffi, at the top of a suite. */
export function requireSystemCalls(): Promise<boolean> {
  return requirePeer("Linux with koffi", () =>
    loadSystemCalls().then(
      () => undefined,
      (error: unknown) => String(error),
    ),
  );
}
