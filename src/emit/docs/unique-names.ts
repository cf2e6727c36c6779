/** Hands names out, each once: what was taken before gets a number, `name-2`. */
export class UniqueNames {
  readonly #taken = new Set<string>();

  constructor(reserved: Iterable<string> = []) {
    for (const name of reserved) this.claim(name);
  }

  claim(wanted: string): string {
    // An id has no white space in it.
    const plain = wanted.replace(/\s+/g, "-");
    let name = plain;
    for (let number = 2; this.#taken.has(name); number++) name = `${plain}-${number}`;
    this.#taken.add(name);
    return name;
  }
}
