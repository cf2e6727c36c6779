import { html, joined, type Html } from "./html.js";

/** Documentation as written: paragraphs between empty lines, code between backticks. */
export function docText(doc: string): Html | undefined {
  const paragraphs = doc.split(/\n\s*\n/).filter((text) => text.trim() !== "");
  if (paragraphs.length === 0) return undefined;
  return joined(paragraphs.map(withCode), html`<br />`);
}

function withCode(text: string): Html {
  const parts = text.split("`");
  // A backtick without its partner is one.
  const isOdd = parts.length % 2 === 0;
  return html`${parts.map((part, index) => {
    if (index % 2 === 0) return part;
    return isOdd && index === parts.length - 1 ? `\`${part}` : html`<code>${part}</code>`;
  })}`;
}

/** A paragraph of documentation, or nothing. */
export function docParagraph(doc: string): Html | undefined {
  const text = docText(doc);
  return text && html`<p>${text}</p>`;
}
