import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/compile.js";
import { parameterList } from "../../src/emit/typescript/codec-parameters.js";
import { DeviceScope } from "../../src/emit/typescript/device-scope.js";
import type { DeviceModel, Model, StructModel } from "../../src/model/device-model.js";
import { ByteReader, ByteWriter, FeatureSet } from "../../src/runtime/index.js";
import { valueOf } from "./arbitrary-values.js";
import "../seed.js";

const dsl = new URL("../../dsl/", import.meta.url);
const sources = readdirSync(dsl)
  .filter((name) => name.endsWith(".virtio"))
  .map((name) => ({ name, text: readFileSync(new URL(name, dsl), "utf8") }));

function modelOf(): Model {
  const { model } = compile(sources);
  if (model === undefined) throw new Error("dsl/ does not compile");
  return model;
}
const model = modelOf();
const devices = model.devices.filter(({ id }) => id !== null);
const modules = new Map<string, unknown>(
  await Promise.all(
    devices.map(async ({ name }) => {
      const module: unknown = await import(`../../generated/${name.replaceAll("_", "-")}.ts`);
      return [name, module] as const;
    }),
  ),
);

/** What is generated for a struct. Parameters other than features are taken from the value by the caller. */
interface Codec {
  readonly struct: StructModel;
  readonly name: string;
  readonly scope: DeviceScope;
  readonly parameters: readonly string[];
  read(reader: ByteReader, ...more: unknown[]): unknown;
  write(writer: ByteWriter, value: unknown, ...more: unknown[]): void;
}

function codecsOf(device: DeviceModel): Codec[] {
  const scope = new DeviceScope(device, model, [`${device.name}Feature`]);
  const generated = new Map<string, unknown>(Object.entries(modules.get(device.name) ?? {}));
  return scope.structs.flatMap((struct) => {
    const name = scope.typeName(struct);
    const read = generated.get(`read${name}`);
    const write = generated.get(`write${name}`);
    if (typeof read !== "function" || typeof write !== "function") return [];
    const parameters = parameterList(struct, scope).map((parameter) => parameter.name);
    return [
      {
        struct,
        name,
        scope,
        parameters,
        read: (reader, ...more): unknown => Reflect.apply(read, undefined, [reader, ...more]),
        write: (writer, value, ...more): void => void Reflect.apply(write, undefined, [writer, value, ...more]),
      },
    ];
  });
}

const codecs = devices.flatMap(codecsOf);
/** Structs that are the same whoever uses them. */
const plain = codecs.filter(({ parameters }) => parameters.every((name) => name === "features"));

function featuresOf(codec: Codec): fc.Arbitrary<FeatureSet> {
  const bits = codec.scope.device.features.filter((feature) => !feature.legacy).map((feature) => feature.bit);
  return bits.length === 0 ? fc.constant(FeatureSet.none) : fc.subarray(bits).map((chosen) => FeatureSet.of(chosen));
}
const argumentsFor = (codec: Codec, features: FeatureSet): unknown[] => codec.parameters.map(() => features);

test("there is a codec for the structs of each device", () => {
  expect(codecs.length).toBeGreaterThan(100);
  expect(plain.length).toBeGreaterThan(90);
});

describe.each(plain.map((codec) => [codec.name, codec] as const))("%s", (_, codec) => {
  const withValue = featuresOf(codec).chain((features) => fc.tuple(fc.constant(features), valueOf(codec.struct, codec.scope, features)));

  // How long the value of a device part is, its writer has to say: a value made at random does not.
  const isSelfContained = codec.struct.fields.every((field) => field.sizedTree === null);

  if (isSelfContained) test("what is written is read again, and a byte less is too little room", () => {
    fc.assert(
      fc.property(withValue, ([features, value]) => {
        const writer = new ByteWriter(new Uint8Array(4096));
        const more = argumentsFor(codec, features);
        codec.write(writer, value, ...more);
        expect(writer.error).toBeUndefined();
        const bytes = new Uint8Array(writer.offset);
        const exact = new ByteWriter(bytes);
        codec.write(exact, value, ...more);
        expect(exact.error).toBeUndefined();
        const reader = new ByteReader(bytes);
        const read = codec.read(reader, ...more);
        expect(reader.error).toBeUndefined();
        expect(reader.remaining).toBe(0);
        const again = new ByteWriter(new Uint8Array(bytes.length));
        codec.write(again, read, ...more);
        expect(again.error).toBeUndefined();
        // Of a union, every member is read.
        expect(read).toMatchObject(value);
        if (bytes.length === 0) return;
        const small = new ByteWriter(new Uint8Array(bytes.length - 1));
        codec.write(small, value, ...more);
        expect(small.error?.rule).toBe("too-small");
      }),
      { numRuns: 25 },
    );
  });

  test("random bytes give a value or an error, and never throw", () => {
    fc.assert(
      fc.property(featuresOf(codec), fc.uint8Array({ maxLength: 80 }), (features, bytes) => {
        const reader = new ByteReader(bytes);
        codec.read(reader, ...argumentsFor(codec, features));
        expect(reader.offset).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 50 },
    );
  });
});
