import type { Formula, ScalarType } from "../../model/device-model.js";
import { constantOf } from "../../model/formula-values.js";
import { findInRequest, type FailureField } from "../../model/request-failures.js";
import { code, nothing, quoted, render, type Code } from "./code.js";
import { visitFormula, type DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { isWideEnum, memberOf } from "./enums.js";
import type { Failure } from "./failures.js";
import { asBigint, asNumber, closedContext, formulaValue, type FormulaContext } from "./formulas.js";
import { runtimeType } from "./imports.js";
import type { RequestShape } from "./request-shapes.js";
import type { LayoutGroup } from "./request-slot.js";
import { scalarSize } from "./shapes.js";
import { numberAt } from "./structs-read.js";

/** What is done where no answer can say that the device failed. */
const silence = code`return this.abandon();`;

/** `fail`: what the driver is told of a request whose handler failed. */
export function failMethod(
  request: RequestShape,
  groups: readonly LayoutGroup[],
  hasKinds: boolean,
  scope: DeviceScope,
): Code {
  if (request.failures.size === 0) return nothing;
  const kinds = groups.map((group) => ({
    name: group.name,
    body: statements(request.failures.get(group.variant.model.name), scope),
  }));
  if (hasKinds) kinds.push({ name: "Unknown", body: unknownStatements(request, scope) });
  const bodies = new Map<string, { readonly body: Code; readonly names: string[] }>();
  for (const { name, body } of kinds) {
    const { text } = render(body);
    const known = bodies.get(text);
    if (known === undefined) bodies.set(text, { body, names: [name] });
    else known.names.push(name);
  }
  const [only, ...others] = bodies.values();
  const silent = render(silence).text;
  const cases = [...bodies].map(([text, { body, names }]) =>
    text === silent ? nothing : code`${names.map((name) => code`case ${quoted(name)}:`)} { ${body} }`,
  );
  const rest = bodies.has(silent) && code`default: ${silence}`;
  const content =
    others.length === 0 && only !== undefined ? only.body : code`switch (this.#kind) { ${cases} ${rest} }`;
  return code`${docComment({ doc: "What the driver is told where the handler failed." })}
    override fail(): ${runtimeType("Completion")} { ${content} }`;
}

/** Of a request that nothing is known of: what all the kinds have in common that nobody has described. */
function unknownStatements(request: RequestShape, scope: DeviceScope): Code {
  const names = request.undescribed.length > 0 ? request.undescribed : request.variants.map(({ model }) => model.name);
  const [first, ...others] = names.map((name) => request.failures.get(name));
  const isOne = others.every((each) => JSON.stringify(each?.answer) === JSON.stringify(first?.answer));
  return statements(isOne ? first : undefined, scope);
}

function statements(failure: Failure | undefined, scope: DeviceScope): Code {
  if (failure === undefined) return silence;
  const { answer } = failure;
  return code`const answer = new DataView(new ArrayBuffer(${answer.size}));
    ${answer.fields.map((field) => setField(field, failure, scope))}
    return this.finishFailed(answer, ${quoted(answer.anchor)});`;
}

function setField(field: FailureField, failure: Failure, scope: DeviceScope): Code {
  const order = field.type === "u8" || field.type.startsWith("be") ? nothing : code`, true`;
  const bytes = scalarSize(field.type);
  const method = bytes === 8 ? "setBigUint64" : `setUint${8 * bytes}`;
  return code`answer.${method}(${field.offset}, ${fieldValue(field, bytes, failure, scope)}${order});`;
}

/** A number whose low bits are those of the value: two's complement, and no rounding on the way. */
function fieldValue(field: FailureField, bytes: number, failure: Failure, scope: DeviceScope): Code {
  const { valueTree } = field;
  const value = formulaValue(valueTree, requestContext(failure, !isPlain(valueTree), scope));
  if (bytes === 8) return asBigint(value);
  if (value.type === "bigint") return code`Number(BigInt.asUintN(${8 * bytes}, ${value.code}))`;
  return memberCode(field, scope) ?? asNumber(value);
}

/** A constant, a field, or some of its lower 32 bits: what no number loses a bit of. */
function isPlain(formula: Formula): boolean {
  if (formula.op === "field" || constantOf(formula) !== null) return true;
  if (formula.op !== "binary" || formula.operator !== "&" || formula.left.op !== "field") return false;
  const mask = constantOf(formula.right);
  return mask !== null && mask >= 0n && mask <= 0xffffffffn;
}

/** Bytes of the head that failures repeat something of. */
export function failureHead(request: RequestShape, scope: DeviceScope): number {
  let end = 0;
  for (const { answer, variant } of request.failures.values()) {
    for (const { valueTree } of answer.fields) {
      visitFormula(valueTree, (part) => {
        const found = part.op === "field" ? findInRequest(part.path, variant, scope.types) : undefined;
        if (found !== undefined && "type" in found) end = Math.max(end, found.offset + scalarSize(found.type));
      });
    }
  }
  return end;
}

/** `BlkStatus.IOERR`, where the value is one. */
function memberCode({ enum: name, valueTree }: FailureField, scope: DeviceScope): Code | undefined {
  const declared = name === null ? undefined : scope.enum(name);
  const value = constantOf(valueTree);
  if (declared === undefined || value === null || isWideEnum(declared)) return undefined;
  const member = memberOf(declared, Number(value));
  return member && code`${scope.typeName(declared)}.${member.name}`;
}

/** Numbers of the request, straight from its head. `exact`: what is made of them loses no bits. */
function requestContext({ variant }: Failure, exact: boolean, scope: DeviceScope): FormulaContext {
  const place = `${scope.device.name}.${variant.name}`;
  return {
    ...closedContext(place),
    field: (_, path) => {
      const found = findInRequest(path, variant, scope.types);
      if ("reason" in found) throw new EmitError(`a failure that repeats ${path.join(".")}`, place);
      const shape = { kind: "scalar", scalar: found.type, meaning: { kind: "number" } } as const;
      const number = numberAt(code`this.head`, code`${found.offset}`, shape);
      const isWide = scalarSize(found.type) === 8;
      const value = found.signed ? withSign(number, found.type) : number;
      return exact && !isWide
        ? { code: code`BigInt(${value})`, type: "bigint" }
        : { code: value, type: isWide ? "bigint" : "number" };
    },
  };
}

function withSign(number: Code, type: ScalarType): Code {
  const bits = 8 * scalarSize(type);
  if (bits === 64) return code`BigInt.asIntN(64, ${number})`;
  return bits === 32 ? code`(${number} | 0)` : code`((${number} << ${32 - bits}) >> ${32 - bits})`;
}
