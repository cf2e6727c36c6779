/** One access to shared memory that is about to be made. */
export interface Access {
  readonly kind: "read" | "write" | "update";
  /** Made with Atomics: sequentially consistent. */
  readonly atomic: boolean;
  /** First byte in the shared buffer, and how many. */
  readonly at: number;
  readonly bytes: number;
  /** What a write writes. */
  readonly value?: number;
}

/** What a side does next: an access, or to wait until something has happened. */
export type Step = Access | Wait;
export interface Wait {
  readonly kind: "wait";
  readonly what: string;
  ready(): boolean;
}

/** A function of the runtime, run step by step. */
export type Steps<T> = Generator<Step, T, void>;

type TypedArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Int16Array | Int8Array;

const generatorPrototype: unknown = Reflect.get(Object.getPrototypeOf(function* () {}) as object, "prototype");
function isSteps(value: unknown): value is Steps<unknown> {
  if (typeof value !== "object" || value === null || typeof generatorPrototype !== "object") return false;
  return generatorPrototype !== null && Object.prototype.isPrototypeOf.call(generatorPrototype, value);
}
function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * What the turned sources call (`$steps`). Accesses to typed arrays over `buffer` are steps; all others are not.
 * `memory` makes the accesses: as they are, or later, or differently.
 */
export class SteppedMemory {
  readonly buffer: ArrayBufferLike;
  /** Told of each access after it was made, with the value read or written. */
  onDone: ((access: Access, value: number) => void) | undefined;
  /** Makes an access instead of the plain way; for memory that is weakly ordered, or lies. */
  perform: (access: Access, make: () => number) => number;
  /** Decides on the steps of an access: `step` yields before it, and makes it. For sides that do something wrong. */
  intercept: ((access: Access, step: (access: Access) => Steps<number>) => Steps<number>) | undefined;

  constructor(buffer: ArrayBufferLike) {
    this.buffer = buffer;
    this.onDone = undefined;
    this.perform = (_access, make) => make();
    this.intercept = undefined;
  }

  #shared(object: unknown): object is TypedArray | DataView {
    return ArrayBuffer.isView(object) && object.buffer === this.buffer;
  }

  #step(access: Access, make: () => number): Steps<number> {
    const { intercept } = this;
    return intercept === undefined ? this.#make(access, make) : intercept(access, (how) => this.#make(how, make));
  }
  *#make(access: Access, make: () => number): Steps<number> {
    yield access;
    const value = this.perform(access, make);
    this.onDone?.(access, value);
    return value;
  }

  *read(object: unknown, index: unknown): Steps<unknown> {
    if (object === null || object === undefined) return undefined;
    if (isTypedArray(object) && typeof index === "number" && this.#shared(object) && index < object.length) {
      return yield* this.#step(accessOf("read", object, index, false), () => object[index] ?? 0);
    }
    return Reflect.get(Object(object) as object, index as PropertyKey) as unknown;
  }

  *write(object: unknown, index: unknown, value: unknown): Steps<unknown> {
    if (isTypedArray(object) && typeof index === "number" && this.#shared(object)) {
      const access = { ...accessOf("write", object, index, false), value: Number(value) };
      yield* this.#step(access, () => (object[index] = access.value));
      return value;
    }
    Reflect.set(object as object, index as PropertyKey, value);
    return value;
  }

  *update(object: unknown, index: unknown, value: unknown, operator: string): Steps<unknown> {
    const before = Number(yield* this.read(object, index));
    const operand = Number(value);
    switch (operator) {
      case "|=":
        return yield* this.write(object, index, before | operand);
      case "&=":
        return yield* this.write(object, index, before & operand);
      case "^=":
        return yield* this.write(object, index, before ^ operand);
      case "+=":
        return yield* this.write(object, index, before + operand);
      case "-=":
        return yield* this.write(object, index, before - operand);
      default:
        throw new Error(`the step transform does not know ${operator}`);
    }
  }

  *atomic(name: string, array: unknown, index: unknown, value?: unknown, replacement?: unknown): Steps<unknown> {
    if (!isTypedArray(array) || typeof index !== "number") throw new Error(`Atomics.${name} of no typed array`);
    const kind = name === "load" ? "read" : name === "store" ? "write" : "update";
    const make = (): number => {
      switch (name) {
        case "load":
          return Atomics.load(array, index);
        case "store":
          return Atomics.store(array, index, Number(value));
        case "exchange":
          return Atomics.exchange(array, index, Number(value));
        case "add":
          return Atomics.add(array, index, Number(value));
        case "or":
          return Atomics.or(array, index, Number(value));
        case "and":
          return Atomics.and(array, index, Number(value));
        case "compareExchange":
          return Atomics.compareExchange(array, index, Number(value), Number(replacement));
        default:
          throw new Error(`the step transform does not know Atomics.${name}`);
      }
    };
    return this.#shared(array) ? yield* this.#step(accessOf(kind, array, index, true), make) : make();
  }

  *view(object: unknown, name: string, ...parameters: readonly unknown[]): Steps<unknown> {
    const call = () =>
      (Reflect.get(object as object, name) as (...all: unknown[]) => unknown).apply(object, [...parameters]);
    if (!(object instanceof DataView)) return yield* this.run(call());
    if (!this.#shared(object)) return call();
    const bytes = Number(/\d+$/.exec(name)?.[0]) / 8;
    const kind = name.startsWith("get") ? "read" : "write";
    const at = object.byteOffset + Number(parameters[0]);
    const access: Access = { kind, atomic: false, at, bytes, value: Number(parameters[1]) };
    return yield* this.#step(access, () => Number(call() ?? parameters[1]));
  }

  /** `fill`, `set` and `copyWithin`: one step, whatever its size. */
  *bulk(object: unknown, name: string, ...parameters: readonly unknown[]): Steps<unknown> {
    const call = () =>
      (Reflect.get(object as object, name) as (...all: unknown[]) => unknown).apply(object, [...parameters]);
    if (!isTypedArray(object) || !this.#shared(object)) return yield* this.run(call());
    const access: Access = { kind: "write", atomic: false, at: object.byteOffset, bytes: object.byteLength };
    yield* this.#step(access, () => {
      call();
      return 0;
    });
    return object;
  }

  /** The value of a call: that of its steps, if what was called was turned. */
  *run(value: unknown): Steps<unknown> {
    return isSteps(value) ? yield* value : value;
  }

  /** The value of a call in one step. */
  runAtOnce(value: unknown): unknown {
    if (!isSteps(value)) return value;
    for (;;) {
      const { done, value: result } = value.next();
      if (done === true) return result;
    }
  }
}

function accessOf(kind: Access["kind"], array: TypedArray, index: number, atomic: boolean): Access {
  const bytes = array.BYTES_PER_ELEMENT;
  return { kind, atomic, at: array.byteOffset + index * bytes, bytes };
}
