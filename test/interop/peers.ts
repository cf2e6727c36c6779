import { test } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** Set on a test that stands for a suite which was left out: what is missing, and why it counts as missing. */
    leftOut?: string;
  }
}

/** Why a peer cannot be used here, or undefined if it can. */
export type PeerProbe = () => string | undefined | Promise<string | undefined>;

/**
 * Asks for a program or file outside of the project that a suite compares with. To be called at the top of a test file.
 *
 * If the peer is missing the suite is left out and the end of the run says so; with `VIRTIO_GEN_INTEROP=required` in the
 * environment that is a failure instead.
 *
 * @param name What is needed, as the report shows it: "a C compiler and Linux's virtio headers".
 * @returns true if the peer is there: `describe.runIf(await requirePeer(...))`.
 */
export async function requirePeer(name: string, probe: PeerProbe): Promise<boolean> {
  const missing = await probe();
  if (missing === undefined) return true;
  const leftOut = `${name}: ${missing}`;
  if (process.env["VIRTIO_GEN_INTEROP"] === "required") {
    test(`needs ${name}`, () => {
      throw new Error(`VIRTIO_GEN_INTEROP=required, but ${leftOut}`);
    });
  } else {
    test(`needs ${name}`, (context) => {
      context.task.meta.leftOut = leftOut;
      context.skip(leftOut);
    });
  }
  return false;
}
