/** What one step touched, byte by byte: see {@link effect}. */
export type Effect = number;

/** Byte `at` was read or written. Steps of two sides depend on each other when one writes what the other touches. */
export function effect(at: number, write: boolean): Effect {
  return at * 2 + Number(write);
}
const conflict = (one: Effect, other: Effect): boolean => one >> 1 === other >> 1 && ((one | other) & 1) !== 0;

/** One run of two sides, driven from outside. The same choices lead to the same run. */
export interface Run {
  /** The sides that can go on: bit 0 and bit 1. A side that can go on can do so until it does. */
  readonly enabled: number;
  /** Lets a side make its next step; throws when that shows a fault. Returns what it touched. */
  step(side: 0 | 1): readonly Effect[];
  /** The same for two runs that will go on in the same way. Never the same twice in one run. */
  key(): number;
  /** Nothing can go on: throws unless a run may end like this. */
  end(): void;
  /** What happened, in words, if the run was started to tell. */
  readonly story: readonly string[];
}

export interface Explored {
  /** Different states gone through. */
  readonly states: number;
  /** Ways from the start to an end, or to a state seen before. */
  readonly runs: number;
  /** Steps of the longest one. */
  readonly longest: number;
}

/** A schedule under which something went wrong. */
export class ExplorationFailure extends Error {
  override readonly name = "ExplorationFailure";
  readonly schedule: readonly number[];

  constructor(cause: unknown, schedule: readonly number[], story: readonly string[]) {
    const message = cause instanceof Error ? cause.message : String(cause);
    super(`${message}\nafter these ${schedule.length} steps:\n  ${story.join("\n  ")}`, { cause });
    this.schedule = schedule;
  }
}

/** A state on the way that is being gone, and the step taken from it. */
interface Turn {
  readonly key: number;
  readonly enabled: number;
  /** Sides that must be tried from here, and those that were. Bits. */
  wanted: number;
  tried: number;
  side: 0 | 1;
  effects: readonly Effect[];
  /** After the step: the last step of the other side that each side's steps so far depend on. */
  after0: number;
  after1: number;
  /** All that each side touches from here on, on every way gone so far. */
  readonly reach: readonly [Set<Effect>, Set<Effect>];
}

/**
 * Runs all interleavings of two sides that differ in anything but the order of independent steps: depth first, by
 * running from the start again for each turn not taken (dynamic partial-order reduction, Flanagan and Godefroid). States seen
 * before are not gone into again; what was touched from there on is remembered, and counts as if it had been.
 * @param start makes a run; told whether it has to tell its story
 * @throws ExplorationFailure with the schedule that leads there
 */
export function explore(start: (tell: boolean) => Run, mostStates = 2_000_000): Explored {
  const explorer = new Explorer(start);
  do explorer.goOn(mostStates);
  while (explorer.turnBack());
  return { states: explorer.states, runs: explorer.runs, longest: explorer.longest };
}

class Explorer {
  states = 0;
  runs = 0;
  longest = 0;
  readonly #start: (tell: boolean) => Run;
  readonly #path: Turn[] = [];
  readonly #seen = new Map<number, readonly [Set<Effect>, Set<Effect>]>();

  constructor(start: (tell: boolean) => Run) {
    this.#start = start;
  }

  /** Runs the path again, and on from there to an end or to a state seen before. */
  goOn(mostStates: number): void {
    const path = this.#path;
    const run = this.#start(false);
    this.runs++;
    let steps = 0;
    try {
      // The last turn of the path has a new side to try, if there is a path.
      for (const turn of path.slice(0, -1)) {
        steps++;
        run.step(turn.side);
      }
      steps++;
      if (path.length > 0) this.#take(run, path.length - 1);
      while (!this.#known(run)) {
        const { enabled } = run;
        if (enabled === 0) {
          run.end();
          break;
        }
        const side = (enabled & 1) !== 0 ? 0 : 1;
        const reach = [new Set<Effect>(), new Set<Effect>()] as const;
        const key = run.key();
        // Nothing got further: the two keep each other busy for ever.
        if (path.some((turn) => turn.key === key)) throw new Error("livelock: the same state again");
        path.push({ key, enabled, wanted: 1 << side, tried: 0, side, effects: [], after0: -1, after1: -1, reach });
        if (++this.states > mostStates) throw new Error(`more than ${mostStates} states: the case is too large`);
        steps++;
        this.#take(run, path.length - 1);
      }
    } catch (error) {
      throw this.#failure(error, path.slice(0, steps));
    }
    this.longest = Math.max(this.longest, path.length);
  }

  /** Goes back to the last turn from which another side is to be tried. False: there is none. */
  turnBack(): boolean {
    const path = this.#path;
    for (;;) {
      const turn = path.at(-1);
      if (turn === undefined) return false;
      const left = turn.wanted & ~turn.tried & turn.enabled;
      if (left !== 0) {
        turn.side = (left & 1) !== 0 ? 0 : 1;
        return true;
      }
      this.#seen.set(turn.key, turn.reach);
      path.pop();
      const before = path.at(-1);
      if (before === undefined) continue;
      for (const what of turn.reach[0]) before.reach[0].add(what);
      for (const what of turn.reach[1]) before.reach[1].add(what);
    }
  }

  #take(run: Run, index: number): void {
    const turn = this.#path[index];
    if (turn === undefined) return;
    const { side } = turn;
    turn.tried |= 1 << side;
    turn.effects = run.step(side);
    const before = this.#path[index - 1];
    let after0 = before?.after0 ?? -1;
    let after1 = before?.after1 ?? -1;
    for (const what of turn.effects) {
      turn.reach[side].add(what);
      const last = this.#race(what, side, index, side === 0 ? (before?.after0 ?? -1) : (before?.after1 ?? -1));
      if (side === 0) after0 = Math.max(after0, last);
      else after1 = Math.max(after1, last);
    }
    turn.after0 = after0;
    turn.after1 = after1;
  }

  /** The run is in a state that was gone into before: what will be touched from there on has races with the path. */
  #known(run: Run): boolean {
    const reach = this.#seen.get(run.key());
    if (reach === undefined) return false;
    const last = this.#path.at(-1);
    for (const side of [0, 1] as const) {
      const after = (side === 0 ? last?.after0 : last?.after1) ?? -1;
      for (const what of reach[side]) {
        last?.reach[side].add(what);
        this.#race(what, side, this.#path.length, after);
      }
    }
    return true;
  }

  /**
   * `side` touches `what` after the first `index` steps. Where the other side did something last that this depends on,
   * the order must be tried the other way round as well, unless that step comes before for another reason: it is not
   * behind `after`. Returns the index of that step, or -1.
   */
  #race(what: Effect, side: 0 | 1, index: number, after: number): number {
    for (let at = index - 1; at > after; at--) {
      const turn = this.#path[at];
      if (turn === undefined || turn.side === side) continue;
      if (!turn.effects.some((other) => conflict(what, other))) continue;
      turn.wanted |= (turn.enabled & (1 << side)) !== 0 ? 1 << side : turn.enabled;
      return at;
    }
    return -1;
  }

  #failure(error: unknown, path: readonly Turn[]): ExplorationFailure {
    const schedule = path.map(({ side }) => side);
    const story = tellStory(this.#start(true), schedule);
    return new ExplorationFailure(error, schedule, story);
  }
}

/** Runs a schedule again and returns what happened, in words. */
export function tellStory(run: Run, schedule: readonly (0 | 1)[]): readonly string[] {
  try {
    for (const side of schedule) run.step(side);
  } catch {
    // That is what the story is told for.
  }
  return run.story;
}
