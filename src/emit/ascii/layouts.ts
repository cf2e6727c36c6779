import type {
  DeviceModel,
  FieldModel,
  Model,
  RequestModel,
  StructModel,
  VariantModel,
} from "../../model/device-model.js";
import { ownStructs, type TypeScope } from "../byte-map/type-scope.js";

/** Something whose bytes can be shown: a config, a struct, registers, or the streams of a request. */
export interface Layout {
  /** By which it is found; the first is the shortest that says which device it is of. */
  readonly names: readonly string[];
  readonly specName: string;
  readonly doc: string;
  readonly spec: string | null;
  readonly size: number | null;
  readonly scope: TypeScope;
  readonly streams: readonly StreamLayout[];
}
export interface StreamLayout {
  /** Empty for a layout that is not a message. */
  readonly heading: string;
  readonly fields: readonly FieldModel[];
}

/** What a name stands for. `blk.config`, `blk.Request`, `blk.Request.In`, `Request` and names of the specification do. */
export function findLayouts(model: Model, name: string): readonly Layout[] {
  const all = layoutsOf(model);
  const exact = all.filter(({ names }) => names.includes(name));
  if (exact.length > 0) return exact;
  const folded = name.toLowerCase();
  return all.filter(({ names }) => names.some((candidate) => candidate.toLowerCase() === folded));
}

/** Every name that `findLayouts` finds something by. */
export function layoutNames(model: Model): readonly string[] {
  return [...new Set(layoutsOf(model).flatMap(({ names }) => names))];
}

function layoutsOf(model: Model): readonly Layout[] {
  const sharedScope: TypeScope = { device: model.shared, shared: model.shared };
  const shared = model.shared.structs.map((struct) => itemLayout(struct, undefined, sharedScope));
  return [...model.devices.flatMap((device) => layoutsOfDevice(device, model)), ...shared];
}

function layoutsOfDevice(device: DeviceModel, model: Model): readonly Layout[] {
  const scope: TypeScope = { device, shared: model.shared };
  const { config } = device;
  const configs = config ? [itemLayout({ ...config, name: "config" }, device, scope)] : [];
  return [
    ...configs,
    ...ownStructs(device).map((struct) => itemLayout(struct, device, scope)),
    ...device.registers.map((registers) => itemLayout(registers, device, scope)),
    ...device.requests.flatMap((request) => requestLayouts(request, device, scope)),
    ...device.structs.flatMap((struct) => listingLayout(struct, device, scope)),
  ];
}

interface LayoutItem {
  readonly name: string;
  readonly specName: string;
  readonly doc: string;
  readonly spec: string | null;
  readonly size: number | null;
  readonly fields: readonly FieldModel[];
}

function itemLayout(item: LayoutItem, device: DeviceModel | undefined, scope: TypeScope): Layout {
  const { name, specName, doc, spec, size, fields } = item;
  const names = device ? [`${device.name}.${name}`, specName, `${device.name}.${specName}`, name] : [specName, name];
  return { names, specName, doc, spec, size, scope, streams: [{ heading: "", fields }] };
}

function requestLayouts(request: RequestModel, device: DeviceModel, scope: TypeScope): readonly Layout[] {
  const { name, specName, doc, spec } = request;
  const place = `${device.name}.${name}`;
  const whole: Layout = {
    names: [place, specName, `${device.name}.${specName}`, name],
    specName,
    doc,
    spec,
    size: null,
    scope,
    streams: request.variants.flatMap((variant) => streamsOf(variant)),
  };
  const variants = request.variants.map((variant): Layout => {
    const ownName = variant.specName === null ? [] : [variant.specName];
    const names = [`${place}.${variant.name}`, `${name}.${variant.name}`, ...ownName];
    return {
      names,
      specName: variant.specName ?? specName,
      doc: variant.doc,
      spec,
      size: null,
      scope,
      streams: streamsOf(variant),
    };
  });
  return [whole, ...variants];
}

/** A struct of the specification that lists variants of a request: shown as the streams that they are. */
function listingLayout(struct: StructModel, device: DeviceModel, scope: TypeScope): readonly Layout[] {
  const { message, specName, doc, spec } = struct;
  const request = device.requests.find(({ name }) => name === message?.request);
  const isNamed = request?.specName === specName || request?.variants.some((variant) => variant.specName === specName);
  if (!message || !request || isNamed) return [];
  const variants = request.variants.filter(({ name }) => message.variants.includes(name));
  const names = [`${device.name}.${specName}`, specName];
  return [
    { names, specName, doc, spec, size: null, scope, streams: variants.flatMap((variant) => streamsOf(variant)) },
  ];
}

function streamsOf({ name, readable, replies }: VariantModel): readonly StreamLayout[] {
  return [
    { heading: `${name}, device-readable`, fields: readable },
    ...replies.map((reply) => ({
      heading: `${name}, device-writable${reply.name === null ? "" : ` (${reply.name})`}`,
      fields: reply.writable,
    })),
  ];
}
