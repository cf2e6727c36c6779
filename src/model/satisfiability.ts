/** One of several things that must hold: `variable + 1`, negative if it must not be set. */
export type Clause = readonly number[];

/** A set of clauses, all of which must hold. Variables are numbered from 0. */
export interface Problem {
  readonly variables: number;
  readonly clauses: readonly Clause[];
}

/**
 * Looks for an assignment that satisfies all clauses with the given literals set. Undefined if that takes too long, which
 * no definition that a person writes needs.
 */
export function satisfiable(problem: Problem, given: readonly number[], budget = 20_000): boolean | undefined {
  const values = new Int8Array(problem.variables);
  const occurrences: number[][] = Array.from({ length: problem.variables }, () => []);
  problem.clauses.forEach((clause, index) => {
    for (const literal of clause) occurrences[Math.abs(literal) - 1]?.push(index);
  });
  const trail: number[] = [];
  let steps = 0;

  const holds = (literal: number): boolean => (values[Math.abs(literal) - 1] ?? 0) * literal > 0;
  const fails = (literal: number): boolean => (values[Math.abs(literal) - 1] ?? 0) * literal < 0;
  /** Sets a literal and all that follows from it; false if that is a contradiction. */
  const assign = (literal: number): boolean => {
    const queue = [literal];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (holds(next)) continue;
      if (fails(next)) return false;
      values[Math.abs(next) - 1] = Math.sign(next);
      trail.push(Math.abs(next) - 1);
      for (const index of occurrences[Math.abs(next) - 1] ?? []) {
        steps += 1;
        const clause = problem.clauses[index] ?? [];
        if (clause.some(holds)) continue;
        const open = clause.filter((other) => !fails(other));
        const [only] = open;
        if (only === undefined) return false;
        if (open.length === 1) queue.push(only);
      }
    }
    return true;
  };
  const undo = (length: number): void => {
    while (trail.length > length) values[trail.pop() ?? 0] = 0;
  };

  for (const literal of given) if (!assign(literal)) return false;
  for (const clause of problem.clauses) {
    const [only] = clause;
    if (only === undefined) return false;
    if (clause.length === 1 && !assign(only)) return false;
  }
  // Decisions, innermost last: which literal was chosen, and how long the trail was before it.
  const decisions: { literal: number; length: number; flipped: boolean }[] = [];
  for (;;) {
    if (steps > budget) return undefined;
    const open = problem.clauses.find((clause) => !clause.some(holds));
    steps += 1;
    if (!open) return true;
    let literal = open.find((other) => !fails(other));
    let length = trail.length;
    let flipped = false;
    while (literal === undefined || !assign(literal)) {
      undo(length);
      if (literal !== undefined && !flipped) {
        literal = -literal;
        flipped = true;
        continue;
      }
      const last = decisions.pop();
      if (!last) return false;
      undo(last.length);
      length = last.length;
      flipped = last.flipped;
      literal = last.flipped ? undefined : -last.literal;
      if (!last.flipped) flipped = true;
      steps += 1;
      if (steps > budget) return undefined;
    }
    decisions.push({ literal, length, flipped });
  }
}
