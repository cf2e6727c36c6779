/** All of these are done; undefined if they are done already. Rejects with the first failure, when all have settled. */
export function allDone(parts: readonly (void | Promise<void>)[]): Promise<void> | undefined {
  const pending = parts.filter((part) => part !== undefined);
  if (pending.length === 0) return undefined;
  return Promise.allSettled(pending).then((results) => {
    for (const result of results) if (result.status === "rejected") throw result.reason;
  });
}
