import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DebianPackages } from "./debian-packages.js";
import { GuestUnavailable, requireTools } from "./initramfs.js";
import { alone } from "./lock.js";

/** Where all of them are. */
export const cache = fileURLToPath(new URL("../../../node_modules/.cache/virtio-gen/guest/", import.meta.url));

/** Packages of the Debian that this machine runs. */
export const debian = new DebianPackages(join(cache, "packages"));

/** Something that is made of Debian's packages once for each of their versions, and kept in node_modules/.cache. */
export interface KeptKind<Downloaded> {
  /** How its names begin. */
  readonly prefix: string;
  /** Stands for everything but the packages that it is made of. */
  readonly recipe: string;
  /** Fetches lists of what there is. */
  readonly packages: { refresh(): Promise<void> };
  /** A name for the present version of the packages, with `prefix` in front; undefined where apt has no lists. */
  name(): Promise<string | undefined>;
  download(): Promise<Downloaded>;
  /** @param work Folder for what comes in between. @param result Folder that is kept; both are there. */
  make(downloaded: Downloaded, work: string, result: string): Promise<void>;
}

/**
 * The folder of it, which is made if it is not there. Older ones are removed then.
 * @throws GuestUnavailable that says what is missing: a tool, or the network.
 */
export async function keptFolder<Downloaded>(kind: KeptKind<Downloaded>): Promise<string> {
  const made = await findMade(kind);
  if (made !== undefined) return made;
  await requireTools();
  return await alone(cache, async () => {
    const { name, downloaded } = await download(kind);
    const madeMeanwhile = await findMade(kind);
    if (madeMeanwhile !== undefined) return madeMeanwhile;
    const work = join(cache, `making-${process.pid}`);
    const folder = join(cache, `${name}-${kind.recipe}`);
    try {
      await mkdir(join(work, "result"), { recursive: true });
      await kind.make(downloaded, work, join(work, "result"));
      for (const old of await readdir(cache))
        if (old.startsWith(kind.prefix)) await rm(join(cache, old), { recursive: true, force: true });
      await rename(join(work, "result"), folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return folder;
  });
}

/** One that was made by this recipe; of any packages where apt does not say which are the newest. */
async function findMade<Downloaded>(kind: KeptKind<Downloaded>): Promise<string | undefined> {
  if (!existsSync(cache)) return undefined;
  const { prefix, recipe } = kind;
  const present = await kind.name();
  const names = (await readdir(cache)).filter((name) => name.startsWith(prefix) && name.endsWith(`-${recipe}`)).sort();
  const name = present === undefined ? names.at(-1) : `${present}-${recipe}`;
  return name !== undefined && names.includes(name) ? join(cache, name) : undefined;
}

/** The packages. Lists of apt that are missing or old, and name what servers lost, are fetched. */
async function download<Downloaded>(
  kind: KeptKind<Downloaded>,
): Promise<{ readonly name: string; readonly downloaded: Downloaded }> {
  const attempt = async (): Promise<{ readonly name: string; readonly downloaded: Downloaded }> => {
    const name = await kind.name();
    if (name === undefined) throw new Error(`apt knows no package for ${kind.prefix.replace(/-$/, "")}`);
    return { name, downloaded: await kind.download() };
  };
  try {
    return await attempt().catch(async () => {
      await kind.packages.refresh();
      return await attempt();
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestUnavailable(`its packages cannot be downloaded: ${reason}`, { cause: error });
  }
}
