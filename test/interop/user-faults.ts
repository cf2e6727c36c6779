import { canHandOverFaults, loadSystemCalls } from "../../src/runtime/transport/posix/index.js";
import { requirePeer } from "./peers.js";

/** Asks for a userfaultfd at the top of a suite, which needs Linux, koffi, and a privilege. */
export function requireUserFaults(): Promise<boolean> {
  return requirePeer("userfaultfd", async () => {
    const system = await loadSystemCalls().catch(() => undefined);
    const isGiven = system !== undefined && canHandOverFaults(system);
    return isGiven ? undefined : "the system does not give one to this program";
  });
}
