import { expect } from "vitest";
import type { V86Guest } from "./v86-guest.js";

/** For commands that take a while: enough for a machine that is ten times slower, in seconds. */
export const PATIENCE = 300;

/** A guest that is started before tests run. */
export interface V86Session {
  readonly guest: V86Guest;
  /** What devices were told that their drivers do wrong. */
  readonly problems: readonly string[];
}

/** Takes the one device of a driver away from it. Returns what gives it back. */
export async function unbind({ guest }: V86Session, driver: string): Promise<() => Promise<void>> {
  const folder = `/sys/bus/virtio/drivers/${driver}`;
  const device = await guest.run(`basename $(ls -d ${folder}/virtio*)`);
  expect(device).toMatch(/^virtio\d+$/);
  await guest.run(`echo ${device} >${folder}/unbind`, PATIENCE);
  return async () => {
    await guest.run(`echo ${device} >${folder}/bind`, PATIENCE);
  };
}
