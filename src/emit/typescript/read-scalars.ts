import type { ScalarType } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { unreachable } from "./emit-error.js";
import { nameFunction } from "./enums.js";
import { scalarSize, type Shape } from "./shapes.js";

const READERS: Readonly<Record<ScalarType, string>> = {
  u8: "u8",
  le16: "u16",
  le32: "u32",
  le64: "u64",
  be16: "u16be",
  be32: "u32be",
  be64: "u64be",
  u16: "u16",
  u32: "u32",
  u64: "u64",
};

/** Native numbers are little-endian here, as on every machine that runs JavaScript. */
export function scalarMethod(scalar: ScalarType): string {
  return READERS[scalar];
}

/** Reads a number at the reader's position. */
export function readScalar(scalar: ScalarType, reader: string): Code {
  return code`${reader}.${READERS[scalar]}()`;
}

/** What a number means. */
export function interpret(
  number: Code,
  shape: Shape & { kind: "scalar" },
  scope: DeviceScope,
  width = 8 * scalarSize(shape.scalar),
): Code {
  switch (shape.meaning.kind) {
    case "number":
    case "boolean":
      return number;
    case "signed":
      return signed(number, width);
    case "enum":
      return code`${nameFunction(shape.meaning.enum, scope)}(${number})`;
    default:
      return unreachable(shape.meaning);
  }
}

/** The number of two's complement that so many bits are. */
function signed(bits: Code, width: number): Code {
  if (width > 32) return code`BigInt.asIntN(${width}, ${bits})`;
  if (width === 32) return code`${bits} | 0`;
  return code`(${bits} << ${32 - width}) >> ${32 - width}`;
}
