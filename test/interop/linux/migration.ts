import { setTimeout as delay } from "node:timers/promises";
import type { QmpClient } from "../../../src/runtime/transport/qtest/index.js";

/** Not done before less than 8 pages are left, which a busy guest never has. */
const SLOW = { "max-bandwidth": 32 << 20, "downtime-limit": 1 };
/** Not done before no page is left, and each takes so long that a guest changes others meanwhile, on any machine. */
const SLOWEST = { "max-bandwidth": 1 << 20, "downtime-limit": 1 };
/** As fast as it goes. */
const FAST = { "max-bandwidth": 2 ** 32, "downtime-limit": 5000 };

/** Sends a guest to the QEMU that waits at `uri`. `meanwhile` is done when all of its memory has been sent once. */
export async function move(source: QmpClient, uri: string, meanwhile: () => Promise<void>): Promise<void> {
  await source.execute("migrate-set-parameters", SLOW);
  await source.execute("migrate", { uri });
  while ((await progress(source)).rounds < 2) await delay(20);
  await source.execute("migrate-set-parameters", SLOWEST);
  // A guest that has moved already hears nothing of us.
  const early = watch(source);
  await Promise.race([meanwhile(), early.failed]).finally(early.end);
  await source.execute("migrate-set-parameters", FAST);
  while ((await progress(source)).status !== "completed") await delay(20);
}

/** Hardly anything but what is asked for: QEMU sends 32 pages each tenth of a second, even if less is allowed. */
const TRICKLE = { "max-bandwidth": 1 << 20, "max-postcopy-bandwidth": 1 << 20 };
const ALL = { "max-postcopy-bandwidth": 0 };

/**
 * Sends a guest to the QEMU that waits at `uri`, by post-copy: it goes on there at once, and its memory comes later.
 * `meanwhile` is done when the rest of it may come.
 * @returns how many pages the other QEMU asked for because somebody touched them
 */
export async function movePostCopy(
  source: QmpClient,
  target: QmpClient,
  uri: string,
  meanwhile: () => Promise<void>,
): Promise<number> {
  const capabilities = [{ capability: "postcopy-ram", state: true }];
  for (const side of [target, source]) await side.execute("migrate-set-capabilities", { capabilities });
  await source.execute("migrate-set-parameters", TRICKLE);
  await source.execute("migrate", { uri });
  while ((await progress(source)).status !== "active") await delay(20);
  await source.execute("migrate-start-postcopy");
  while ((await progress(source)).status !== "postcopy-active") await delay(20);
  const early = watch(source);
  await Promise.race([meanwhile(), early.failed]).finally(early.end);
  await source.execute("migrate-set-parameters", ALL);
  for (;;) {
    const { status, requests } = await progress(source);
    if (status === "completed") return requests;
    await delay(20);
  }
}

/** Fails when the guest has moved. */
function watch(source: QmpClient): { failed: Promise<never>; end: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      progress(source).then(({ status }) => {
        if (status === "completed") reject(new Error("the guest moved too early for the test"));
      }, reject);
    }, 500);
  });
  failed.catch(() => undefined);
  return { failed, end: () => clearInterval(timer) };
}

/** How far it is, how often the pages that changed were looked for (the first time, these are all), and how many were asked for. */
async function progress(source: QmpClient): Promise<{ status: string; rounds: number; requests: number }> {
  const answer = (await source.execute("query-migrate")) as {
    readonly status?: string;
    readonly ram?: Readonly<Record<string, number>>;
  };
  const { status = "setup", ram = {} } = answer;
  if (!["setup", "active", "postcopy-active", "device", "completed"].includes(status))
    throw new Error(`the migration is "${status}"`);
  return { status, rounds: ram["dirty-sync-count"] ?? 0, requests: ram["postcopy-requests"] ?? 0 };
}
