/** The model holds something that cannot be written as TypeScript yet. Nothing was emitted. */
export class EmitError extends Error {
  override readonly name = "EmitError";
  /** What cannot be emitted, such as `a union with members of variable size`. */
  readonly construct: string;
  /** Where it is: device, then struct or request, then field. */
  readonly place: string;

  constructor(construct: string, place: string) {
    super(`cannot emit ${construct} (${place})`);
    this.construct = construct;
    this.place = place;
  }
}

/** For the end of a `switch` over a closed union. */
export function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
