import type { DeviceModel } from "../../model/device-model.js";
import { docText } from "./doc-text.js";
import { html, type Html } from "./html.js";
import { specLink } from "./links.js";
import { pageFrame } from "./page-frame.js";
import { row, table } from "./parts.js";
import type { Page, Site } from "./site.js";

/** The first page: all devices, by number. */
export function indexPage(site: Site): string {
  const ordered = [...site.pages].sort((a, b) => rankOf(a) - rankOf(b));
  const devices = site.pages.filter(({ device }) => device?.kind === "device").length;
  const body = html`<h1>virtio devices</h1>
    <p>
      ${devices} ${devices === 1 ? "device" : "devices"}: features, configuration, queues, messages and constants. Press
      <kbd>/</kbd> to search for a name.
    </p>
    <div class="index">
      ${table(["Id", "Device", "Meaning", "Since", "Section", "Features", "Config", "Queues", "Requests", "Structs", "Constants"], ordered.map(pageRow))}
    </div> `;
  return pageFrame(site, "virtio devices", undefined, body);
}

/** What is not a device comes last. */
function rankOf({ device }: Page): number {
  return device ? (device.id ?? 1e9) : 1e10;
}

function pageRow({ path, title, device, items }: Page): Html {
  const { structs, constants } = items;
  return row(undefined, [
    device?.id,
    html`<a href="${path}"><strong>${title}</strong></a>`,
    device ? docText(device.doc) : "Structures and constants that several of them use.",
    device?.since,
    device && specLink(device.spec),
    ...deviceCounts(device),
    countText(structs.length),
    countText(constants.length),
  ]);
}

function deviceCounts(device: DeviceModel | undefined): readonly string[] {
  if (!device) return ["", "", "", ""];
  const { features, config, queues, requests } = device;
  const size = config ? (config.size === null ? "varies" : `${config.size} bytes`) : "";
  return [countText(features.length), size, countText(queues.length), countText(requests.length)];
}

function countText(count: number): string {
  return count === 0 ? "" : String(count);
}
