import { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type { Declaration, DeviceDeclaration, SourceFile } from "../language/syntax-tree.js";
import { answersModels } from "./answers.js";
import { readClauses } from "./clauses.js";
import { configModel, registersModel } from "./config-layout.js";
import { constantModel, evaluateDeclarations, externalModel, memberConstants } from "./declaration-values.js";
import {
  MODEL_VERSION,
  type ConstantModel,
  type DeviceModel,
  type Model,
  type SharedModel,
  type StructModel,
} from "./device-model.js";
import { enumModel } from "./enum-members.js";
import { newFacts, type Facts } from "./facts.js";
import { reportFailureGaps } from "./failure-gaps.js";
import { featureBits } from "./feature-bits.js";
import { featureRequirements } from "./feature-requirements.js";
import { compileConstant } from "./formulas.js";
import { checkImports } from "./imports.js";
import { looseStructs } from "./loose-fields.js";
import { messageStructs } from "./message-structs.js";
import { protocolModels } from "./protocols.js";
import { queueModels } from "./queue-indexes.js";
import { typesIn } from "./request-failures.js";
import { requestModel } from "./request-variants.js";
import { collectSymbols } from "./symbol-collection.js";
import type { Scope } from "./symbols.js";
import { sharedMemoryModels, tableModels } from "./tables.js";
import { firstVersion, originOf, type Encloser } from "./versions.js";

const outermost: Encloser = { label: "the specification", since: firstVersion, until: null, spec: null };

export interface CheckOptions {
  /** The caller has followed the imports and complained about those that lead nowhere. */
  readonly importsResolved?: boolean;
}

/**
 * Checks files that belong together and makes the model of their devices. Total: whatever the trees, there is a model; it
 * may be used if the bag has no errors.
 *
 * Nothing is reported if the bag has errors already: what could not be read would be missed here once more.
 */
export function check(files: readonly SourceFile[], bag: DiagnosticBag, options: CheckOptions = {}): Model {
  const facts = newFacts(bag.hasErrors ? new DiagnosticBag() : bag);
  if (!options.importsResolved) checkImports(files, facts.bag);
  const sharedDeclarations: Declaration[] = [];
  const devices: DeviceDeclaration[] = [];
  for (const file of files) {
    for (const item of file.items) {
      if (item.kind === "device") devices.push(item);
      else if (item.kind !== "import") sharedDeclarations.push(item);
    }
  }
  const shared = collectSymbols({
    naming: { kind: "shared", name: "" },
    device: null,
    encloser: outermost,
    parent: null,
    core: null,
    declarations: sharedDeclarations,
    bag: facts.bag,
  });
  evaluateDeclarations(shared, facts);
  const sharedModel = sharedItems(shared, facts);
  checkDeviceNames(devices, facts.bag);
  // What all devices share comes first, because the others may use its features.
  const cores = devices.filter((device) => device.keyword === "core");
  const models = new Map<DeviceDeclaration, DeviceModel>();
  let core: Scope | null = null;
  const numbers = new Map<number, DeviceDeclaration>();
  for (const device of [...cores, ...devices.filter((other) => other.keyword !== "core")]) {
    const scope = deviceScope(device, shared, core, facts);
    if (device.keyword === "core") core ??= scope;
    models.set(device, deviceModel(device, scope, numbers, sharedModel, facts));
  }
  return {
    modelVersion: MODEL_VERSION,
    devices: devices.flatMap((device) => models.get(device) ?? []),
    shared: sharedModel,
  };
}

function checkDeviceNames(devices: readonly DeviceDeclaration[], bag: DiagnosticBag): void {
  const names = new Map<string, Span>();
  for (const { name } of devices) {
    if (name.text === "") continue;
    const first = names.get(name.text);
    if (first === undefined) {
      names.set(name.text, name.span);
      continue;
    }
    const labels = [{ span: first, message: "declared here first" }];
    bag.report("duplicate-name", name.span, { what: "device", name: name.text }, { labels });
  }
}

function deviceScope(device: DeviceDeclaration, shared: Scope, core: Scope | null, facts: Facts): Scope {
  const clauses = readClauses(device.clauses, "a device", facts.bag);
  const origin = originOf(clauses, device.name.text, outermost, facts.bag);
  let { spec } = origin;
  for (const member of device.members) if (member.kind === "spec-section") spec = member.text;
  return collectSymbols({
    naming: { kind: device.keyword, name: device.name.text, prefix: clauses.names.get("as")?.name.text },
    device,
    encloser: { label: device.name.text, ...origin, spec },
    parent: shared,
    core,
    declarations: device.members,
    bag: facts.bag,
  });
}

function deviceModel(
  device: DeviceDeclaration,
  scope: Scope,
  numbers: Map<number, DeviceDeclaration>,
  shared: SharedModel,
  facts: Facts,
): DeviceModel {
  const id = deviceId(device, scope, numbers, facts);
  evaluateDeclarations(scope, facts);
  const { features, rules } = featureRequirements(featureBits(scope, facts), scope, facts);
  const config = configModel(scope, facts);
  const requests = scope.requests.map((request) => requestModel(request, facts));
  const listings = requests.flatMap((request) => request.listings);
  const registers = scope.registers.map((block) => registersModel(block, scope, facts));
  const queues = queueModels(scope, features, facts);
  const sharedMemory = sharedMemoryModels(scope, facts);
  const tables = tableModels(scope, facts);
  const messages = { scope, facts, requests: requests.map(({ model }) => model) };
  const protocols = protocolModels(messages);
  const answers = answersModels(messages);
  const items = sharedItems(scope, facts);
  reportFailureGaps(messages.requests, answers, typesIn([shared, items]), scope, facts);
  const { since, spec } = scope.encloser;
  const source = device.span.source.name;
  return {
    name: device.name.text,
    kind: device.keyword,
    id,
    doc: device.documentation.join("\n"),
    since,
    spec,
    source: source.slice(source.lastIndexOf("/") + 1),
    features,
    featureRules: rules,
    config,
    ...items,
    structs: [...items.structs, ...messageStructs(listings, scope, facts)],
    requests: requests.map(({ model }) => model),
    queues,
    sharedMemory,
    tables,
    registers,
    protocols,
    answers,
  };
}

function deviceId(
  device: DeviceDeclaration,
  scope: Scope,
  numbers: Map<number, DeviceDeclaration>,
  facts: Facts,
): number | null {
  const { bag } = facts;
  if (device.keyword === "core") return null;
  if (!device.id) {
    const values = { what: "device", name: device.name.text, needed: "a number, as in `device name = 42`" };
    bag.report("missing-value", device.name.span, values);
    return null;
  }
  const value = compileConstant(device.id, { facts, scope });
  if (value === undefined) return null;
  if (value < 1n || value > 0xffff_ffffn) {
    const what = `the number of ${device.name.text}`;
    bag.report("value-out-of-range", device.id.span, { what, value, low: 1, high: 0xffff_ffff });
    return null;
  }
  const id = Number(value);
  const first = numbers.get(id);
  if (first) {
    const labels = [{ span: first.id?.span ?? first.span, message: `${first.name.text} has it here` }];
    bag.report(
      "duplicate-device-id",
      device.id.span,
      { name: device.name.text, id, other: first.name.text },
      { labels },
    );
  } else numbers.set(id, device);
  return id;
}

/** Types and constants of a scope, in the order of the source. */
function sharedItems(scope: Scope, facts: Facts): SharedModel {
  const enums = scope.enums.map((symbol) => enumModel(symbol, facts));
  const constants: { readonly model: ConstantModel; readonly span: Span }[] = [];
  for (const symbol of scope.constants) {
    for (const model of constantModel(symbol, facts)) constants.push({ model, span: symbol.span });
  }
  for (const symbol of [...scope.enums, ...scope.anonymousEnums]) {
    for (const model of memberConstants(symbol, facts)) constants.push({ model, span: symbol.span });
  }
  const externals = scope.externals.map((symbol) => externalModel(symbol, facts));
  return {
    enums,
    structs: [...structModels(scope, facts), ...looseStructs(scope, facts)],
    externals,
    constants: inOrder(constants).map(({ model }) => model),
  };
}

function structModels(scope: Scope, facts: Facts): readonly StructModel[] {
  const layouts: { readonly model: StructModel; readonly span: Span }[] = [];
  for (const [symbol, layout] of facts.structs) if (symbol.scope === scope) layouts.push(layout);
  return inOrder(layouts).map(({ model }) => model);
}

function inOrder<Item extends { readonly span: Span }>(items: readonly Item[]): readonly Item[] {
  const files = new Map<string, number>();
  for (const { span } of items) if (!files.has(span.source.name)) files.set(span.source.name, files.size);
  const rank = (item: Item): number => files.get(item.span.source.name) ?? 0;
  return [...items].sort((a, b) => rank(a) - rank(b) || a.span.start - b.span.start);
}
