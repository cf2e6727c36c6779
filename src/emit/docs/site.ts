import type { DeviceModel, Model, SharedModel } from "../../model/device-model.js";
import type { TypeScope } from "../byte-map/type-scope.js";
import { Anchors } from "./anchors.js";
import { UniqueNames } from "./unique-names.js";

/** A page with declarations: of a device, or of what all devices share. */
export interface Page {
  readonly path: string;
  readonly title: string;
  readonly items: SharedModel;
  readonly device: DeviceModel | undefined;
  readonly scope: TypeScope;
  readonly anchors: Anchors;
}

/** All pages, and which declarations are on which. */
export interface Site {
  readonly model: Model;
  /** Of the compiler. */
  readonly version: string;
  readonly pages: readonly Page[];
  /** The page of a device, or of what is shared. */
  pageOf(home: SharedModel): Page | undefined;
}

export const indexPath = "index.html";

export function siteOf(model: Model, version: string): Site {
  const names = new UniqueNames(["index", "shared"]);
  const devices = [...model.devices].map((device): Page => ({
    // One file system or another takes names for the same that differ in case.
    path: `${names.claim(device.name.toLowerCase().replaceAll("_", "-"))}.html`,
    title: device.name,
    items: device,
    device,
    scope: { device, shared: model.shared },
    anchors: new Anchors(device),
  }));
  const pages = isEmpty(model.shared) ? devices : [...devices, sharedPage(model.shared)];
  const byHome = new Map(pages.map((page) => [page.items, page]));
  return { model, version, pages, pageOf: (home) => byHome.get(home) };
}

function sharedPage(shared: SharedModel): Page {
  const scope = { device: shared, shared };
  const anchors = new Anchors(shared);
  return { path: "shared.html", title: "Shared declarations", items: shared, device: undefined, scope, anchors };
}

function isEmpty({ enums, structs, externals, constants }: SharedModel): boolean {
  return [enums, structs, externals, constants].every((list) => list.length === 0);
}
