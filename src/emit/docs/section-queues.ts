import type { DeviceModel, Formula, QueueModel } from "../../model/device-model.js";
import { formulaText } from "../../model/formula-text.js";
import { docText } from "./doc-text.js";
import { html, joined, type Html } from "./html.js";
import type { Links } from "./links.js";
import { origin, row, selfLink, table } from "./parts.js";
import type { Page } from "./site.js";

const roles: Readonly<Record<QueueModel["role"], string>> = {
  request: "the driver sends requests, the device answers each.",
  transmit: "the driver sends messages.",
  receive: "the device sends messages, in buffers that the driver has posted.",
  held: "the device holds the driver's buffers for long.",
  deferred: "the device answers requests when something happens.",
};

/** Virtqueues: how many there are, and at which indexes. */
export function queuesSection(device: DeviceModel, page: Page, links: Links): Html | undefined {
  if (device.queues.length === 0) return undefined;
  const rows = device.queues.map((queue) => {
    const anchor = page.anchors.of(queue);
    const dimension = queue.many ? html`[<wbr /><code class="formula">${links.formula(queue.count)}</code>]` : "";
    return row(anchor, [
      html`<strong>${selfLink(anchor, html`<code>${queue.specName}</code>`)}</strong>${dimension}`,
      html`<code class="formula">${links.formula(queue.index)}</code>`,
      queue.role,
      html`<code>${links.name(queue.message)}</code>`,
      html`${docText(queue.doc)} ${origin(queue)}${queueNotes(queue, links)}`,
    ]);
  });
  const many = device.queues.some((queue) => queue.many);
  const used = [...new Set(device.queues.map(({ role }) => role))];
  return html`${table(["Queue", "Index", "Role", "Message", "Meaning"], rows)}
    <ul class="notes">
      ${many && html`<li><code>k</code> counts the queues of an array, from 0.</li> `}${used.map(
        (role) => html`<li>${role}: ${roles[role]}</li> `,
      )}
    </ul> `;
}

function queueNotes(queue: QueueModel, links: Links): Html | undefined {
  const code = (formula: Formula): Html => html`<code>${links.formula(formulaText(formula))}</code>`;
  const { merged, holdsTree, postedTree, postedPer, condition } = queue;
  const notes = [
    ...(condition === null ? [] : [html`there if <code>${links.formula(condition)}</code>`]),
    ...(merged === null ? [] : [mergedNote(merged, code)]),
    ...(holdsTree ? [html`buffers hold at least ${code(holdsTree)} bytes`] : []),
    ...(postedTree
      ? [
          html`at most ${code(postedTree)} buffers are
          posted${postedPer && html` for each <code>${postedPer.join(".")}</code>`}`,
        ]
      : []),
  ];
  return notes.length === 0 ? undefined : html`<br /><span class="notes">${joined(notes, "; ")}</span>`;
}

function mergedNote(
  { field, conditionTree }: NonNullable<QueueModel["merged"]>,
  code: (formula: Formula) => Html,
): Html {
  const when = conditionTree ? html` if ${code(conditionTree)}` : "";
  return html`a message may span as many buffers as <code>${field.join(".")}</code> tells${when}`;
}
