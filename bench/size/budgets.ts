import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DeviceBundles } from "./bundles.js";

/** Bytes, minified: of the three bundles, and of the device's own part of the last one. */
export interface Budget {
  readonly device: number;
  readonly driver: number;
  readonly both: number;
  readonly own: number;
}
export type Budgets = Readonly<Record<string, Budget>>;

export const budgetFile = fileURLToPath(new URL("budgets.json", import.meta.url));

/** A budget that is so much more than what is measured guards nothing any more. */
const GENEROUS = 1.25;
/** What a new budget leaves room for. */
const ROOM = 1.1;

export function readBudgets(): Budgets {
  return JSON.parse(readFileSync(budgetFile, "utf8")) as Budgets;
}

function measured({ sizes }: DeviceBundles): Budget {
  return {
    device: sizes.device.minified,
    driver: sizes.driver.minified,
    both: sizes.both.minified,
    own: sizes.both.own,
  };
}

const kinds = ["device", "driver", "both", "own"] as const satisfies readonly (keyof Budget)[];

/** A budget for what is there now, with some room; in steps of 100 bytes. */
export function budgetFor(bundles: DeviceBundles): Budget {
  const now = measured(bundles);
  const roomy = (bytes: number): number => Math.ceil((bytes * ROOM) / 100) * 100;
  return { device: roomy(now.device), driver: roomy(now.driver), both: roomy(now.both), own: roomy(now.own) };
}

/** What is wrong with the bundles of one device, a line each: too large, a budget too generous, modules of others. */
export function complaintsOf(bundles: DeviceBundles, budget: Budget | undefined): string[] {
  const { name, modules } = bundles;
  const complaints = modules
    .filter((path) => path !== `generated/${name}.ts` && !path.startsWith("src/runtime/"))
    .map((path) => `${name} loads ${path}`);
  if (budget === undefined) return [...complaints, `${name} has no budget`];
  const now = measured(bundles);
  for (const kind of kinds) {
    if (now[kind] > budget[kind]) {
      complaints.push(`${name}, ${kind}: ${now[kind]} bytes, ${now[kind] - budget[kind]} above its budget`);
    } else if (budget[kind] > now[kind] * GENEROUS) {
      complaints.push(`${name}, ${kind}: ${now[kind]} bytes, and a budget of ${budget[kind]}: lower it`);
    }
  }
  return complaints;
}

/** Budgets of devices that are not there. */
export function unusedBudgets(names: readonly string[], budgets: Budgets): string[] {
  return Object.keys(budgets).filter((name) => !names.includes(name));
}
