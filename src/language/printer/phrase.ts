import type { Doc } from "prettier";
import { builders } from "prettier/doc";

const { fill, group, indent, line } = builders;

/**
 * A declaration as it is put together: words that stay together, places where the line may break, and blocks. Broken
 * lines are indented, and as much as fits goes on each of them.
 */
export class Phrase {
  readonly #done: Doc[] = [];
  #contents: Doc[] = [];
  #current: Doc[] = [];

  /** Adds something that stays on the line. */
  add(doc: Doc): void {
    this.#current.push(doc);
  }

  /** The line may break here, or must if a separator says so. */
  breakable(separator: Doc = line): void {
    this.#contents.push(this.#current, separator);
    this.#current = [];
  }

  /** Adds a block, whose lines are not indented further. */
  block(doc: Doc): void {
    this.#flush();
    this.#done.push(doc);
  }

  finish(): Doc {
    this.#flush();
    return this.#done;
  }

  #flush(): void {
    if (this.#contents.length === 0 && this.#current.length === 0) return;
    this.#done.push(group(indent(fill([...this.#contents, this.#current]))));
    this.#contents = [];
    this.#current = [];
  }
}
