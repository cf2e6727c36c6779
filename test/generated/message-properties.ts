import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { DeviceScope } from "../../src/emit/typescript/device-scope.js";
import { camelCase } from "../../src/emit/typescript/names.js";
import { queueShapes, type QueueShape } from "../../src/emit/typescript/queues.js";
import type { Model } from "../../src/model/device-model.js";
import { CodecError, ProtocolError, type RequestSlot } from "../../src/runtime/index.js";
import { exchangeOf, fieldsOf, type Exchange } from "./message-exchange.js";
import { HandWritten, Pair, call, featureSets } from "./message-pair.js";
import { MessageMaker, NotBuilt } from "./message-values.js";
import "../seed.js";

/*
 * Every message of a device, made from the model, over both sides of the generated code. Nothing here knows a device; what
 * cannot be made is told at the end, by name.
 */

const RUNS = 10;

/** A device with two implementations of its driver's side: the generated one, and one that cuts buffers as it likes. */
export interface Bench {
  readonly pair: Pair;
  readonly hand: HandWritten;
}
export interface Subject {
  readonly name: string;
  readonly scope: DeviceScope;
  readonly queues: readonly QueueShape[];
  readonly benches: readonly Bench[];
}

/** A device of the model, with the module that was generated from it. */
export interface Generated {
  readonly model: Model;
  readonly device: Model["devices"][number];
  readonly module: unknown;
}

const refusedSets: string[] = [];

async function subjectOf({ model, device, module }: Generated): Promise<Subject> {
  const scope = new DeviceScope(device, model, [`${device.name}Feature`]);
  const queues = queueShapes(scope);
  const benches: Bench[] = [];
  for (const features of featureSets(scope)) {
    try {
      const pair = await Pair.start(module, scope, queues, features);
      benches.push({ pair, hand: new HandWritten(module, scope, queues, pair) });
    } catch (error) {
      refusedSets.push(`${device.name} with ${features.join(" ")}: ${String(error)}`);
    }
  }
  return { name: device.name, scope, queues, benches };
}

const built = new Map<string, number>();
const notBuilt = new Map<string, string>();

/** What `make` makes for a bench, one with whose features it can be made; undefined if there is none now. */
function attempt<T>(g: fc.GeneratorValue, benches: readonly Bench[], name: string, make: (bench: Bench) => T): { readonly bench: Bench; readonly made: T } | undefined {
  const first = g(fc.nat, Math.max(0, benches.length - 1));
  for (const bench of [...benches.slice(first), ...benches.slice(0, first)]) {
    try {
      const made = make(bench);
      built.set(name, (built.get(name) ?? 0) + 1);
      return { bench, made };
    } catch (error) {
      if (!(error instanceof NotBuilt)) throw error;
      notBuilt.set(name, error.message);
    }
  }
  return undefined;
}

const benchesWith = (subject: Subject, queue: QueueShape): readonly Bench[] =>
  subject.benches.filter(({ pair }) => pair.driver.negotiated === pair.agreed.features && hasQueue(pair, queue));
const hasQueue = (pair: Pair, queue: QueueShape): boolean =>
  pair.served.device.queues().some(({ name, enabled }) => name === queue.name && enabled);

/** Cuts a length at random places, or at every byte. */
function cuts(g: fc.GeneratorValue, length: number): number[] {
  if (length === 0) return [];
  if (length <= 24 && g(fc.boolean)) return new Array<number>(length).fill(1);
  const places = Array.from({ length: g(fc.nat, 6) }, () => g(fc.nat, length));
  const sorted = [0, ...[...places].sort((left, right) => left - right), length];
  return sorted.slice(1).map((end, index) => end - (sorted[index] ?? 0));
}
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

/** A message without a byte cannot travel: the driver says so. */
function travels(exchange: Exchange): boolean {
  return !Object.values(exchange.input).every((value) => value === 0 || value === false || ((value instanceof Uint8Array || Array.isArray(value)) && value.length === 0));
}

async function submit(pair: Pair, queue: QueueShape, exchange: Exchange): Promise<{ reply: unknown; found: unknown; readable: Uint8Array; room: number }> {
  let found: unknown;
  let readable: Uint8Array = new Uint8Array(0);
  let room = 0;
  pair.served.errors.length = 0;
  pair.served.handler = (slot) => {
    found = fieldsOf(slot, exchange.variant);
    readable = slot.readable.toUint8Array();
    room = slot.writable.length;
    exchange.answer(slot);
  };
  const sender = pair.queue(queue.name);
  const method: unknown = sender === undefined ? undefined : Reflect.get(sender, queue.struct === undefined ? "submit" : "send");
  const reply: unknown = await call(method, sender, exchange.input);
  return { reply, found, readable, room };
}

/** Devices, started with each set of features that is tried. */
export async function subjectsOf(devices: readonly Generated[]): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const device of devices) subjects.push(await subjectOf(device));
  return subjects;
}

/** Registers the tests: values both ways, streams cut anywhere, and any bytes. */
export function testMessages(subjects: readonly Subject[]): void {
  afterAll(async () => {
    for (const { benches } of subjects) for (const { pair } of benches) await pair.driver.stop();
    const missing = [...notBuilt].filter(([name]) => (built.get(name) ?? 0) === 0);
    console.log(`messages: ${String(built.size)} made, ${String(missing.length)} not`);
    for (const [name, reason] of missing) console.log(`  not made: ${name}: ${reason}`);
    for (const text of refusedSets) console.log(`  features refused: ${text}`);
  });

  const sending = subjects.flatMap((subject) =>
    subject.queues.flatMap((queue) =>
      (queue.request?.variants ?? []).map((variant) => {
        const name = `${subject.name}.${queue.model.name} ${variant.model.name}`;
        return [name, { name, subject, queue, variant }] as const;
      }),
    ),
  );
  const receiving = subjects.flatMap((subject) =>
    subject.queues
      .filter(({ direction }) => direction === "toDriver")
      .map((queue) => {
        const name = `${subject.name}.${queue.model.name}`;
        return [name, { name, subject, queue }] as const;
      }),
  );

  test("each device works with all of its features at once or without", () => {
    expect(subjects.filter(({ benches }) => benches.length === 0).map(({ name }) => name)).toEqual([]);
  });

  describe.each(sending)("%s", (_, { name, subject, queue, variant }) => {
    const benches = benchesWith(subject, queue);

    test("arrives as it was sent, and its reply too; cut anywhere nothing changes", async () => {
      if (benches.length === 0) throw new Error("no set of features has this queue");
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const attempted = attempt(g, benches, name, ({ pair }) => exchangeOf(g, requireRequest(queue), variant, pair.agreed));
          if (attempted === undefined || !travels(attempted.made)) return;
          const { bench: { pair, hand }, made: exchange } = attempted;
          const { reply, found, readable, room } = await submit(pair, queue, exchange);
          expect(pair.served.errors.splice(0)).toEqual([]);
          expect(found).toMatchObject(exchange.sent);
          if (queue.struct === undefined) expect(reply).toMatchObject(exchange.reply);
          const whole = byHand(hand, queue, exchange, [readable], [room]);
          expect(whole.found).toMatchObject(exchange.sent);
          const inPieces = byHand(hand, queue, exchange, cut(readable, cuts(g, readable.length)), cuts(g, room));
          expect(inPieces).toEqual(whole);
        }),
        { numRuns: RUNS },
      );
    });

    test("any bytes in its place, either way: an answer or a typed error", async () => {
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const attempted = attempt(g, benches, name, ({ pair }) => exchangeOf(g, requireRequest(queue), variant, pair.agreed));
          if (attempted === undefined || !travels(attempted.made)) return;
          const { bench: { pair, hand }, made: exchange } = attempted;
          const { readable, room } = await submit(pair, queue, exchange);
          const bytes = g(fc.boolean) ? damaged(g, readable) : g(fc.uint8Array, { maxLength: 80 });
          const space = g(fc.integer, { min: bytes.length === 0 ? 1 : 0, max: room + 8 });
          const first = anything(hand, queue, bytes, space, 0);
          // What lies beside the buffers is no part of the message.
          expect(anything(hand, queue, bytes, space, 0xff)).toEqual(first);
          if (queue.struct !== undefined) return;
          const noise = g(fc.uint8Array, { minLength: room, maxLength: room });
          const written = g(fc.integer, { min: 0, max: room });
          pair.served.handler = (slot) => {
            slot.writable.write(noise, 0, 0, written);
            call(Reflect.get(slot, "finish"), slot, written);
          };
          const sender = pair.queue(queue.name);
          const outcome: unknown = await Promise.resolve(call(Reflect.get(Object(sender), "submit"), sender, exchange.input)).catch((error: unknown) => error);
          if (outcome instanceof Error) expect(outcome instanceof CodecError || outcome instanceof ProtocolError, String(outcome)).toBe(true);
        }),
        { numRuns: RUNS },
      );
    });
  });

  describe.each(receiving)("%s", (_, { name, subject, queue }) => {
    test("arrives as it was sent; cut anywhere nothing changes", async () => {
      const benches = benchesWith(subject, queue);
      if (benches.length === 0) throw new Error("no set of features has this queue");
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (g) => {
          const attempted = attempt(g, benches, name, ({ pair }) => new MessageMaker(g, pair.agreed).struct(subject.scope.requireStruct(queue.struct ?? "")));
          if (attempted === undefined) return;
          const { bench: { pair, hand }, made } = attempted;
          const arrived = new Promise<unknown>((resolve) => {
            pair.onMessage = (from, message) => {
              if (from === queue.name) resolve(message);
            };
          });
          // How many buffers a message takes is the sender's to say.
          const count = queue.model.merged?.field ?? [];
          if (count.length > 0) setAt(made.value, count.map(camelCase), 1);
          const sent = send(pair.served.device, queue, made.value);
          expect(sent).toBe(true);
          expect(await arrived).toMatchObject(made.value);
          const pieces = (lengths: readonly number[]): unknown => {
            const buffer = hand.post(requireIndex(hand, queue), [], lengths);
            expect(send(hand.served.device, queue, made.value)).toBe(true);
            return buffer.take();
          };
          const room = made.size + 64;
          const whole = pieces([room]);
          expect(pieces(cuts(g, room))).toEqual(whole);
          expect(whole).toMatchObject({ untouched: true });
          expect([...pair.errors, ...pair.served.errors, ...hand.served.errors]).toEqual([]);
        }),
        { numRuns: RUNS },
      );
    });
  });

  test("every message could be made, with one set of features or another", () => {
    const missing = [...notBuilt].filter(([name]) => (built.get(name) ?? 0) === 0);
    expect(missing).toEqual([]);
  });
}

function setAt(value: unknown, path: readonly string[], number: number): void {
  const [first = "", ...rest] = path;
  if (typeof value !== "object" || value === null || !(first in value)) return;
  if (rest.length === 0) Reflect.set(value, first, number);
  else setAt(Reflect.get(value, first), rest, number);
}

function send(device: object, queue: QueueShape, value: unknown): unknown {
  const sender: unknown = Reflect.get(device, queue.name);
  return call(Reflect.get(Object(sender), "send"), sender, value);
}

function requireRequest(queue: QueueShape): NonNullable<QueueShape["request"]> {
  if (queue.request === undefined) throw new Error("no request");
  return queue.request;
}
function requireIndex(hand: HandWritten, queue: QueueShape): number {
  const index = hand.served.queueIndex(queue.name);
  if (index === undefined) throw new Error(`no queue ${queue.name}`);
  return index;
}

function byHand(hand: HandWritten, queue: QueueShape, exchange: Exchange, readable: readonly Uint8Array[], writable: readonly number[]) {
  let found: unknown;
  hand.served.handler = (slot) => {
    found = fieldsOf(slot, exchange.variant);
    exchange.answer(slot);
  };
  const used = hand.post(requireIndex(hand, queue), readable, writable).take();
  expect(hand.served.errors.splice(0)).toEqual([]);
  expect(used?.untouched).toBe(true);
  return { found, used };
}

function damaged(g: fc.GeneratorValue, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, g(fc.integer, { min: 0, max: bytes.length }));
  for (let left = g(fc.nat, 3); left > 0 && copy.length > 0; left--) copy[g(fc.nat, copy.length - 1)] = g(fc.nat, 255);
  return copy;
}

/** Gives a device these bytes; what it makes of them. It looks at all fields and refuses. */
function anything(hand: HandWritten, queue: QueueShape, bytes: Uint8Array, space: number, around: number) {
  const seen: unknown[] = [];
  hand.served.handler = (slot: RequestSlot) => {
    for (const variant of requireRequest(queue).variants) seen.push(fieldsOf(slot, variant));
    slot.abandon();
  };
  const used = hand.post(requireIndex(hand, queue), [bytes], [space], around).take();
  const errors = hand.served.errors.splice(0);
  expect(errors.filter((error) => !(error instanceof ProtocolError))).toEqual([]);
  expect(used?.untouched).toBe(true);
  return { seen, written: used?.written, errors: errors.map(({ message }) => message) };
}

