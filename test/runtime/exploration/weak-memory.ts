import { random } from "../ring/ring-rig.js";
import { ExplorationFailure } from "./explorer.js";
import type { RingRun } from "./ring-run.js";

/** More steps than any run needs. */
const mostSteps = 5000;

/**
 * Runs a scenario of weakly ordered memory under `runs` random schedules. Stores become visible at random as well,
 * in some runs soon and in others late. All of them have done so when a run is over.
 * @throws ExplorationFailure with the seed of the schedule
 */
export function sampleWeakly(start: (telling: boolean) => RingRun, runs: number, firstSeed = 1): void {
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const taken: (0 | 1)[] = [];
    try {
      runOnce(start(false), seed, taken);
    } catch (error) {
      const run = start(true);
      try {
        runOnce(run, seed, []);
      } catch {
        // For its story.
      }
      throw new ExplorationFailure(`seed ${seed}: ${String(error)}`, taken, run.story);
    }
  }
}

function runOnce(run: RingRun, seed: number, taken: (0 | 1)[]): void {
  const below = random(Math.imul(seed, 0x9e3779b1));
  for (let warm = 0; warm < 4; warm++) below(2);
  const patience = 1 + below(24);
  // Long turns of one side find what even ones do not.
  const turn = 1 + below(12);
  let side: 0 | 1 = below(2) === 0 ? 0 : 1;
  for (let steps = 0; steps < mostSteps; steps++) {
    const stores = run.stores;
    if (stores !== undefined && stores.count > 0 && below(patience) === 0) {
      const index = below(stores.count);
      if (stores.canLand(index)) stores.land(index);
    }
    if (below(turn) === 0) side = side === 0 ? 1 : 0;
    const { enabled } = run;
    if ((enabled & (1 << side)) === 0) side = side === 0 ? 1 : 0;
    if ((enabled & (1 << side)) === 0) {
      if (stores === undefined || stores.count === 0) break;
      stores.land(0);
      continue;
    }
    taken.push(side);
    run.step(side);
  }
  if (run.enabled !== 0) throw new Error(`not over after ${mostSteps} steps`);
  run.end();
}
