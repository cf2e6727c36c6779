import type { DeviceModel, FeatureModel } from "../../model/device-model.js";
import { docText } from "./doc-text.js";
import { html, joined, type Html } from "./html.js";
import type { Links } from "./links.js";
import { badge, origin, row, selfLink, table } from "./parts.js";
import type { Page } from "./site.js";

/** Feature bits, and what they need. */
export function featuresSection(device: DeviceModel, page: Page, links: Links): Html | undefined {
  if (device.features.length === 0) return undefined;
  const rows = device.features.map((feature) => {
    const anchor = page.anchors.of(feature);
    const name = html`${selfLink(anchor, html`<strong><code>${feature.name}</code></strong>`)}<br /><code
        class="spec-name"
        >${feature.specName}</code
      >`;
    return row(anchor, [
      feature.bit,
      html`${name} ${badges(feature)}`,
      needsText(feature, links),
      html`${docText(feature.doc)} ${origin(feature)}`,
    ]);
  });
  const rules = device.featureRules.map(
    ({ doc, condition }) =>
      html`<li><code>${links.formula(condition)}</code>${doc !== "" && html`<br />${docText(doc)}`}</li> `,
  );
  return html`${table(["Bit", "Feature", "Needs", "Meaning"], rows)}${
    rules.length > 0 &&
    html`<p>What must hold for the features that are negotiated:</p>
      <ul>
        ${rules}
      </ul> `
  }`;
}

function badges({ legacy, mandatory, expected, only }: FeatureModel): Html {
  return html`${legacy && badge("legacy")}${mandatory && badge("mandatory")}${expected && badge("expected")}${only !== null && badge(`${only} only`)}`;
}

function needsText({ requires, offers, implied }: FeatureModel, links: Links): Html {
  const all = (choices: FeatureModel["requires"]): readonly Html[] =>
    choices.map((choice) =>
      joined(
        choice.map((name) => html`<code>${links.formula(name)}</code>`),
        " or ",
      ),
    );
  const lines = [
    ...all(requires).map((choice) => html`<span class="notes narrow">needs </span>${choice}`),
    ...all(offers).map((choice) => html`<span class="notes">a device that offers it also offers</span> ${choice}`),
    ...(implied === null
      ? []
      : [html`<span class="notes">holds also if</span> <code>${links.formula(implied)}</code>`]),
  ];
  return joined(lines, html`<br />`);
}
