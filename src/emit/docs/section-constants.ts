import type { ConstantModel, EnumMemberModel, EnumModel, ExternalModel } from "../../model/device-model.js";
import { docParagraph, docText } from "./doc-text.js";
import { fieldTable } from "./field-table.js";
import { html, type Html, type HtmlValue } from "./html.js";
import type { Links } from "./links.js";
import { badge, itemHeading, numberText, origin, row, selfLink, table } from "./parts.js";
import type { Page } from "./site.js";

/** Enums and flags, each with a table of its members. */
export function enumsSection(enums: readonly EnumModel[], page: Page): Html | undefined {
  if (enums.length === 0) return undefined;
  return html`${enums.map(
    (declaration) =>
      html`<section class="item">
        ${itemHeading(page.anchors.of(declaration), declaration, enumFacts(declaration))}${docParagraph(declaration.doc)}${
          declaration.members.length > 0 && memberTable(declaration.members, declaration, page)
        }${declaration.masked.map(
          ({ name, doc, mask, members }) =>
            html`<p><code>${name}</code>, in the bits of <code>0x${mask.toString(16)}</code>: ${docText(doc)}</p>
              ${memberTable(members, declaration, page)}`,
        )}
      </section> `,
  )}`;
}

function enumFacts(declaration: EnumModel): Html {
  const { kind, type, open } = declaration;
  return html`${kind}${type !== null && html`, ${type}`}${open && ", other values may occur"} ${origin(declaration)}`;
}

function memberTable(members: readonly EnumMemberModel[], declaration: EnumModel, page: Page): Html {
  const rows = members.map((member) => {
    const anchor = page.anchors.of(member);
    return row(anchor, [
      memberValue(member, declaration),
      html`${selfLink(anchor, html`<strong><code>${member.name}</code></strong>`)}
      ${member.legacy && badge("legacy")}${
        member.since !== declaration.since && badge(`since ${member.since}`)
      }${member.until !== null && badge(`until ${member.until}`)}`,
      html`<code class="spec-name">${member.specName}</code>`,
      docText(member.doc),
    ]);
  });
  return table(["Value", "Name", "Name in the specification", "Meaning"], rows);
}

function memberValue({ value, last, bit }: EnumMemberModel, { kind }: EnumModel): HtmlValue {
  if (last !== null) return html`<code>${numberText(value)}</code> to <code>${numberText(last)}</code>`;
  if (bit !== null) return html`bit ${bit}`;
  return html`<code>${kind === "flags" ? `0x${BigInt(value).toString(16)}` : numberText(value)}</code>`;
}

/** Constants that belong to no enum. */
export function constantsSection(constants: readonly ConstantModel[], page: Page): Html | undefined {
  const own = constants.filter(({ of }) => of === null);
  if (own.length === 0) return undefined;
  const rows = own.map((constant) => {
    const anchor = page.anchors.of(constant);
    return row(anchor, [
      selfLink(anchor, html`<code>${constant.specName}</code>`),
      html`<code>${numberText(constant.value)}</code>`,
      html`${docText(constant.doc)} ${origin({ since: constant.since, spec: null })}`,
    ]);
  });
  return table(["Constant", "Value", "Meaning"], rows);
}

/** Types that another document defines, and what is known of them here. */
export function externalsSection(externals: readonly ExternalModel[], page: Page, links: Links): Html | undefined {
  if (externals.length === 0) return undefined;
  const rows = externals.map((external) => {
    const anchor = page.anchors.of(external);
    return row(anchor, [
      selfLink(anchor, html`<code>${external.specName}</code>`),
      external.size ?? "varies",
      html`${docText(external.doc)} ${origin(external)}`,
    ]);
  });
  const known = externals.filter(({ fields }) => fields.length > 0);
  return html`${table(["Type", "Bytes", "Meaning"], rows)}${known.map(
    (external) =>
      html`<p class="notes"><code>${external.specName}</code> begins with:</p>
        ${fieldTable(external.fields, page.anchors.fieldsOf(external), external.since, links)}`,
  )}`;
}
