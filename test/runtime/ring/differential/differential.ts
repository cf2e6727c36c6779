import type { QueuePosition } from "../../../../src/runtime/ring/index.js";
import { DifferentialRun, type Combination, type Planted } from "./differential-run.js";
import { drain, kindOf, seededSteps, simplest, tellStep, type StepWord } from "./steps.js";

/** Steps from one drain to the next. Where a queue was drained, another one can start. */
export const stretch = 5000;
/** Runs that are spent on shrinking. */
const mostReplays = 4000;

export interface DifferentialOptions {
  readonly combination: Combination;
  readonly seed: number;
  readonly steps: number;
  readonly planted?: Planted;
}

export interface Outcome {
  readonly through: number;
  readonly position: QueuePosition;
}

/** The shortest list of steps found after which queues and model disagree. */
export class DifferentialFailure extends Error {
  override readonly name = "DifferentialFailure";
  readonly steps: readonly StepWord[];

  constructor({ combination, seed }: DifferentialOptions, shrunk: Case, from: number, at: number) {
    const { start, steps, message } = shrunk;
    const again = `replay(${JSON.stringify(combination)}, ${JSON.stringify(start)}, [${steps.join(", ")}])`;
    super(
      `${message}\nseed ${seed}, step ${at}; shrunk from ${from} steps to ${steps.length}, ` +
        `on queues that start at ${JSON.stringify(start)}:\n  ${steps.map(tellStep).join("\n  ")}\nagain: ${again}`,
    );
    this.steps = steps;
  }
}

interface Case {
  readonly start: QueuePosition | undefined;
  readonly steps: readonly StepWord[];
  readonly message: string;
}

/** Runs a list of steps. Returns what the queues and the model disagree about, or undefined. */
export function replay(
  combination: Combination,
  start: QueuePosition | undefined,
  steps: readonly StepWord[],
  planted?: Planted,
): string | undefined {
  const run = new DifferentialRun(combination, start, planted);
  try {
    for (const step of steps) run.step(step);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Runs the steps of a seed.
 * @throws DifferentialFailure with the seed, and with a case that was made as small as could be.
 */
export function differential(options: DifferentialOptions): Outcome {
  const { combination, seed, steps: count, planted } = options;
  const steps = seededSteps(seed, count, stretch);
  const run = new DifferentialRun(combination, undefined, planted);
  /** Where the queues were when each stretch began. */
  const starts: QueuePosition[] = [run.driver.position];
  for (let at = 0; at < count; at++) {
    try {
      run.step(steps[at] ?? drain);
    } catch (error) {
      const found: Case = {
        start: undefined,
        steps: [...steps.subarray(0, at + 1)],
        message: error instanceof Error ? error.message : String(error),
      };
      throw new DifferentialFailure(options, shrink(options, fromLateStart(options, found, starts)), at + 1, at);
    }
    if (kindOf(steps[at] ?? drain) === "drain") starts.push(run.driver.position);
  }
  return { through: run.through, position: run.driver.position };
}

/** The same disagreement on queues that start later, with the last stretches only, if there is one. */
function fromLateStart({ combination, planted }: DifferentialOptions, found: Case, starts: QueuePosition[]): Case {
  for (let back = 1; back <= starts.length; back *= 2) {
    const from = starts.length - back;
    const start = starts[from];
    const steps = found.steps.slice(from * stretch);
    const message = replay(combination, start, steps, planted);
    if (message !== undefined && topic(message) === topic(found.message)) return { start, steps, message };
  }
  return found;
}

/** What a message is about: all but its numbers at the end. */
function topic(message: string): string {
  return message.slice(0, message.indexOf(":"));
}

/** Leaves out as many steps as can be, in ever smaller pieces; then gives those that are left the simplest numbers. */
function shrink({ combination, planted }: DifferentialOptions, found: Case): Case {
  let best = found;
  let replays = 0;
  const attempt = (steps: readonly StepWord[]): boolean => {
    if (++replays > mostReplays) return false;
    const message = replay(combination, best.start, steps, planted);
    // Another disagreement than the one that was found is another case.
    if (message === undefined || topic(message) !== topic(best.message)) return false;
    best = { start: best.start, steps, message };
    return true;
  };
  for (let piece = best.steps.length >> 1; piece >= 1 && replays < mostReplays;) {
    let shorter = false;
    for (let from = best.steps.length - piece; from > -piece; from -= piece) {
      const at = Math.max(0, from);
      shorter = attempt([...best.steps.slice(0, at), ...best.steps.slice(from + piece)]) || shorter;
    }
    if (piece > 1) piece >>= 1;
    else if (!shorter) break;
  }
  for (let index = 0; index < best.steps.length; index++) {
    const step = best.steps[index] ?? drain;
    if (step !== simplest(step)) attempt(best.steps.with(index, simplest(step)));
  }
  return best;
}
