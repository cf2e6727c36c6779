/**
 * Milliseconds of processor time that some work takes: the machine is shared, and what others do is not held against it.
 * @param enough once a run takes no longer than this, the work is not done again
 * @returns the least of three runs, so that neither is the compiling of JavaScript nor a collection of garbage
 */
export function processorTime(work: () => void, enough = 0): number {
  let least = Infinity;
  for (let run = 0; run < 3 && least > enough; run++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
