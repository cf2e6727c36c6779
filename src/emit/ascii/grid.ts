/** Characters on a grid, for drawing. */
export class Grid {
  readonly #lines: string[][] = [];

  /** Writes a text from left to right, over what is there. */
  write(row: number, column: number, text: string): void {
    while (this.#lines.length <= row) this.#lines.push([]);
    const line = this.#lines[row] ?? [];
    while (line.length < column) line.push(" ");
    for (let index = 0; index < text.length; index++) line[column + index] = text.charAt(index);
  }

  read(row: number, column: number): string {
    return this.#lines[row]?.[column] ?? " ";
  }

  get height(): number {
    return this.#lines.length;
  }

  /** Without spaces at the ends of lines. */
  get lines(): readonly string[] {
    return this.#lines.map((line) => line.join("").trimEnd());
  }
}
