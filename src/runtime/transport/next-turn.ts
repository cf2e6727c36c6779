/** Runs `work` in a later turn of the event loop, so that timers and input get their chance first. */
export function nextTurn(work: () => void): void {
  if (typeof setImmediate === "function") setImmediate(work);
  else setTimeout(work, 0);
}
