import type {
  AnswerRuleModel,
  AnswersModel,
  ConditionModel,
  CounterModel,
  DeviceModel,
  EventModel,
  ProtocolModel,
  Side,
  TransitionModel,
} from "../../model/device-model.js";
import { docParagraph, docText } from "./doc-text.js";
import { html, joined, type Html } from "./html.js";
import { specLink, type Links } from "./links.js";
import { table } from "./parts.js";

/** What holds over several messages, and which answers belong to which requests. */
export function protocolsSection({ protocols, answers }: DeviceModel, links: Links): Html | undefined {
  if (protocols.length + answers.length === 0) return undefined;
  return html`${protocols.map((protocol) => protocolPart(protocol, links))}${answers.map((each) =>
    answersPart(each, links),
  )}`;
}

function protocolPart(protocol: ProtocolModel, links: Links): Html {
  const { key, by, limit, states, transitions, counters, invariants, learns } = protocol;
  const notes = [
    ...(key === null ? [] : [html`one for each <code>${key.join(".")}</code>`]),
    ...(by === null ? [] : [html`ids are chosen by the ${by}`]),
    ...(limit === null ? [] : [html`allowed: <code class="formula">${links.formula(limit)}</code>`]),
    ...conditionNotes(protocol, links),
  ];
  return html`<h3>${protocol.name} ${specLink(protocol.spec)}</h3>
    ${docParagraph(protocol.doc)} ${notes.length > 0 && html`<p class="notes">${joined(notes, "; ")}</p>`}
    ${
      states.length > 0 &&
      table(
        ["State", "Meaning"],
        states.map(
          (state, index) =>
            html`<tr>
              <td><code>${state.name}</code></td>
              <td>${docText(state.doc)}${index === 0 && html` <span class="notes">it begins here</span>`}</td>
            </tr> `,
        ),
      )
    }
    ${
      transitions.length > 0 &&
      table(
        ["When", "In", "Leads to", "Meaning"],
        transitions.map((step) => transitionRow(step, links)),
      )
    }
    ${
      counters.length > 0 &&
      table(
        ["Counter", "Type", "On", "Becomes", "Meaning"],
        counters.map((counter) => counterRow(counter, links)),
      )
    }
    ${
      invariants.length > 0 &&
      html`<ul>
        ${invariants.map(({ condition, doc }) => html`<li><code class="formula">${links.formula(condition)}</code> ${docText(doc)}</li> `)}
      </ul> `
    }
    ${
      learns.length > 0 &&
      html`<ul>
        ${learns.map(
          ({ fields, events, doc }) =>
            html`<li>${eventsText(events, null, links)} tells <code>${fields.join(", ")}</code> ${docText(doc)}</li> `,
        )}
      </ul> `
    } `;
}

function transitionRow(step: TransitionModel, links: Links): Html {
  return html`<tr>
    <td>${eventsText(step.events, step.by, links)}${conditionText(step, links)}</td>
    <td><code class="formula">${step.from.join(", ")}</code></td>
    <td>${step.to === null ? "" : html`<code>${step.to}</code>`}</td>
    <td>${docText(step.doc)}</td>
  </tr> `;
}

function counterRow(counter: CounterModel, links: Links): Html {
  return html`<tr>
    <td><code>${counter.name}</code></td>
    <td><code>${counter.type}</code></td>
    <td>${eventsText(counter.events, counter.by, links)}${conditionText(counter, links)}</td>
    <td><code class="formula">${links.formula(counter.value)}</code></td>
    <td>${docText(counter.doc)}</td>
  </tr> `;
}

function eventsText(events: readonly EventModel[], by: Side | null, links: Links): Html {
  const texts = events.flatMap((event): readonly Html[] => {
    switch (event.kind) {
      case "message":
        if (event.kinds.length === 0) return [html`<code>${links.name(event.message)}</code>`];
        return [html`<code>${event.kinds.join(".")}</code>`];
      case "config":
        return [html`<code>${links.formula(`config.${event.path.join(".")}`)}</code> changes`];
      case "other":
        return [html`${event.text}`];
    }
  });
  return html`${joined(texts, ", ")}${by !== null && html` <span class="notes">by the ${by}</span>`}`;
}

function conditionNotes({ condition, conditionText: text }: ConditionModel, links: Links): readonly Html[] {
  if (condition !== null) return [html`if <code class="formula">${links.formula(condition)}</code>`];
  return text === null ? [] : [html`if ${text}`];
}

function conditionText(item: ConditionModel, links: Links): Html {
  return html`${conditionNotes(item, links).map((note) => html` <span class="notes">${note}</span>`)}`;
}

function answersPart({ message, doc, spec, rules }: AnswersModel, links: Links): Html {
  return html`<h3>Answers to <code>${links.name(message)}</code> ${specLink(spec)}</h3>
    ${docParagraph(doc)}
    ${table(
      ["Rule", "For", "When", "Meaning"],
      rules.map(
        (rule) =>
          html`<tr>
            <td>${rule.strength !== "must" && `${rule.strength}: `}${ruleText(rule)}</td>
            <td>
              ${joined(
                rule.kinds.map((kind) => html`<code>${kind}</code>`),
                ", ",
              )}
            </td>
            <td>${conditionText(rule, links)}</td>
            <td>${docText(rule.doc)}</td>
          </tr> `,
      ),
    )} `;
}

function ruleText(rule: AnswerRuleModel): Html {
  const field = html`<code>${rule.field?.join(".") ?? ""}</code>`;
  const per = rule.per === null ? "" : html` with the same <code>${rule.per.join(".")}</code>`;
  switch (rule.verb) {
    case "status":
      return html`${field} is <code>${rule.value ?? ""}</code>`;
    case "echo":
      return html`${field} repeats <code>${rule.source?.join(".") ?? ""}</code>`;
    case "failed":
      return html`the device failed: ${field} is <code>${rule.value ?? ""}</code>`;
    case "late":
      return html`the answer may wait${per}`;
    case "ordered":
      return html`answers come in the order of the requests${per}`;
    case "only":
      return html`nothing behind ${field} is written`;
    case "used":
      return html`used length: ${usedTexts[rule.meaning ?? ""] ?? ""}`;
    case "short":
      return rule.meaning === null
        ? html`too little room: ${field} is <code>${rule.value ?? ""}</code>`
        : html`${field} part too short: ${usedTexts[rule.meaning] ?? ""}`;
  }
}

const usedTexts: Readonly<Record<string, string>> = {
  exact: "the bytes that were written",
  ignored: "not to be relied on",
  zero: "0, nothing was done",
  zeros: "what is missing counts as zeros",
  cut: "what does not fit is left out",
};
