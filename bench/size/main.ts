/**
 * Bytes of a bundle that imports only a device's device class, only its driver class, and both, from its entry of the
 * package. budgets.json has what each may be at most; exits with 1 when one is exceeded (test/bench/size.test.ts looks, too).
 *
 *   npm run bench:size -- [--json] [--write]     --write: new budgets, from what is there now
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { budgetFile, budgetFor, complaintsOf, readBudgets, unusedBudgets } from "./budgets.js";
import { bundlesOf, deviceNames, imports, type BundleSize, type DeviceBundles } from "./bundles.js";

function print(results: readonly DeviceBundles[]): void {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(9) : cell.padStart(17))).join("");
  const cell = ({ minified, gzip }: BundleSize): string => `${minified} ${String(gzip).padStart(6)}`;
  console.log('bytes of a bundle, minified and after gzip; own: what of "both" is the device\'s own code, minified\n');
  console.log(line(["", ...imports, "own"]));
  for (const { name, sizes } of results) {
    console.log(line([name, ...imports.map((imported) => cell(sizes[imported])), String(sizes.both.own)]));
  }
}

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
});
const results: DeviceBundles[] = [];
for (const name of deviceNames) results.push(await bundlesOf(name));
if (values.write) {
  const budgets = Object.fromEntries(results.map((bundles) => [bundles.name, budgetFor(bundles)]));
  writeFileSync(budgetFile, `${JSON.stringify(budgets, undefined, 2)}\n`);
}
const budgets = readBudgets();
const complaints = [
  ...results.flatMap((bundles) => complaintsOf(bundles, budgets[bundles.name])),
  ...unusedBudgets(deviceNames, budgets).map((name) => `a budget for ${name}, which is no device`),
];
if (values.json) console.log(JSON.stringify({ results, complaints }, undefined, 2));
else print(results);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
