/**
 * Orders nodes so that each comes after all that it needs. Walks without recursion: a chain of declarations may be as
 * long as the input. A cycle is given to `onCycle` once, first node first, and then cut.
 */
export function dependencyOrder<Node>(
  nodes: readonly Node[],
  needs: (node: Node) => readonly Node[],
  onCycle: (path: readonly Node[]) => void,
): readonly Node[] {
  const order: Node[] = [];
  /** Nodes that a cycle was found at. */
  const cut = new Set<Node>();
  const state = new Map<Node, "open" | "done">();
  for (const root of nodes) {
    if (state.has(root)) continue;
    const path: { node: Node; needs: readonly Node[]; next: number }[] = [{ node: root, needs: needs(root), next: 0 }];
    state.set(root, "open");
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const needed = top.needs[top.next];
      top.next += 1;
      if (needed === undefined) {
        state.set(top.node, "done");
        order.push(top.node);
        path.pop();
        continue;
      }
      const known = state.get(needed);
      if (known === undefined) {
        state.set(needed, "open");
        path.push({ node: needed, needs: needs(needed), next: 0 });
      } else if (known === "open" && !cut.has(needed)) {
        cut.add(needed);
        let first = path.length - 1;
        while (first > 0 && path[first]?.node !== needed) first -= 1;
        onCycle(path.slice(first).map((step) => step.node));
      }
    }
  }
  return order;
}
