/**
 * The rule that a message or a value breaks.
 *
 * - `truncated`: fewer bytes than the layout needs
 * - `too-small`: the buffer to write to has no room left
 * - `out-of-range`: a number that its field cannot hold, or a position outside of the bytes
 * - `bad-value`: a value that the layout does not allow
 * - `bad-count`: a count of elements for which there are not enough bytes
 * - `length-mismatch`: two lengths that must agree do not
 * - `text-too-long`, `text-not-terminated`, `text-with-nul`: text that does not fit its form
 * - `unknown-tag`: a tag that no layout belongs to
 * - `empty`: a message without a byte, which no queue can carry
 */
export type CodecRule =
  | "truncated"
  | "too-small"
  | "out-of-range"
  | "bad-value"
  | "bad-count"
  | "length-mismatch"
  | "text-too-long"
  | "text-not-terminated"
  | "text-with-nul"
  | "unknown-tag"
  | "empty";

const explanations: Readonly<Record<CodecRule, string>> = {
  truncated: "the bytes end before the layout does",
  "too-small": "the buffer has no room for what is to be written",
  "out-of-range": "the number does not fit",
  "bad-value": "the layout does not allow this value",
  "bad-count": "there are not enough bytes for that many elements",
  "length-mismatch": "two lengths that must agree do not",
  "text-too-long": "the text does not fit its field",
  "text-not-terminated": "the text has no NUL at its end",
  "text-with-nul": "the text has a NUL inside",
  "unknown-tag": "no layout belongs to this tag",
  empty: "the message has no bytes",
};

/** A message that does not follow its layout, or a value that does not fit it. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly rule: CodecRule;
  /** Position in the bytes at which the rule was broken, where there is one. */
  readonly at: number | undefined;

  constructor(rule: CodecRule, at?: number, detail?: string) {
    const place = at === undefined ? "" : ` at byte ${String(at)}`;
    super(`${rule}${place}: ${detail ?? explanations[rule]}`);
    this.rule = rule;
    this.at = at;
  }
}
