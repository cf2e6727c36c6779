import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Test files run in processes of their own: one of them makes what is in a folder, the others wait for it. */
export async function alone<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const lock = join(folder, "lock");
  const own = `${lock}-${randomUUID()}`;
  // It is there with its owner in it, or not at all.
  await writeFile(own, String(process.pid));
  try {
    while (
      !(await link(own, lock).then(
        () => true,
        () => false,
      ))
    ) {
      const owner = await readFile(lock, "utf8").catch(() => "");
      if (owner === "" || isAlive(Number(owner)) || !(await breakLock(lock, owner)))
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
    try {
      return await work();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Takes the lock of somebody who is gone away. False if another one has done so, and the lock is a new one. */
async function breakLock(lock: string, owner: string): Promise<boolean> {
  const broken = `${lock}-broken-${process.pid}`;
  try {
    await rename(lock, broken);
  } catch {
    return false;
  }
  const isOld = (await readFile(broken, "utf8")) === owner;
  if (!isOld) await link(broken, lock).catch(() => undefined);
  await rm(broken, { force: true });
  return isOld;
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one, too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
