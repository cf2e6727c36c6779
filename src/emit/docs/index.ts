import type { Model } from "../../model/device-model.js";
import { devicePage } from "./device-page.js";
import { indexPage } from "./index-page.js";
import { searchIndex } from "./search-index.js";
import { searchScript } from "./search-script.js";
import { indexPath, siteOf } from "./site.js";
import { style } from "./style.js";

/** A file of the site. */
export interface DocsFile {
  /** Relative to the folder of the site, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface DocsOptions {
  /** Of the compiler, for the foot of the pages. */
  readonly version: string;
}

/** Reference pages of a model: an index, a page a device, and what they need. The same model, the same bytes. */
export function emitDocs(model: Model, options: DocsOptions): readonly DocsFile[] {
  const site = siteOf(model, options.version);
  return [
    { path: indexPath, text: indexPage(site) },
    ...site.pages.map((page) => ({ path: page.path, text: devicePage(site, page) })),
    { path: "names.js", text: searchIndex(site) },
    { path: "search.js", text: searchScript },
    { path: "style.css", text: style },
  ];
}
