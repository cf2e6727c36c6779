import { message, type MessageTemplate } from "./message.js";

export type Severity = "error" | "warning";

export interface TableEntry {
  /** Never reused and never changed: scripts and pages refer to it. */
  readonly code: `VG${number}`;
  readonly severity: Severity;
  readonly message: MessageTemplate<string>;
}

function entries<const Table extends Record<string, TableEntry>>(table: Table): Table {
  return table;
}

/**
 * Every message that the compiler can print. The key names the rule, the code is stable, and
 * `docs/diagnostics/<code>.md` explains it. VG1xxx: reading text; VG2xxx: names and types; VG3xxx: layout;
 * VG4xxx: features; VG5xxx: queues and requests; VG6xxx: protocols; VG9xxx: files and options.
 */
export const diagnosticTable = entries({
  "unexpected-character": { code: "VG1001", severity: "error", message: message`unexpected character ${"character"}` },
  "unexpected-token": { code: "VG1002", severity: "error", message: message`expected ${"expected"}, found ${"found"}` },
  "unterminated-comment": { code: "VG1003", severity: "error", message: message`comment is never closed` },
  "unterminated-string": { code: "VG1004", severity: "error", message: message`string is never closed` },
  "nesting-too-deep": { code: "VG1005", severity: "error", message: message`nested deeper than ${"limit"} levels` },
  "invalid-utf8": { code: "VG1006", severity: "error", message: message`the file is not valid UTF-8` },
  "malformed-number": { code: "VG1007", severity: "error", message: message`${"text"} is not a number` },
  "unclosed-bracket": { code: "VG1008", severity: "error", message: message`${"bracket"} is never closed` },
  "unopened-bracket": { code: "VG1010", severity: "error", message: message`${"bracket"} closes nothing` },
  "unknown-directive": {
    code: "VG1009",
    severity: "error",
    message: message`only \`#define\` is understood, not ${"directive"}`,
  },
  // names, values and types
  "unknown-name": { code: "VG2001", severity: "error", message: message`unknown ${"what"} ${"name"}` },
  "duplicate-name": { code: "VG2002", severity: "error", message: message`${"what"} ${"name"} is declared twice` },
  "unresolved-import": { code: "VG2003", severity: "error", message: message`no file ${"path"} is being compiled` },
  cycle: { code: "VG2004", severity: "error", message: message`${"what"} ${"name"} needs itself: ${"path"}` },
  "not-constant": {
    code: "VG2005",
    severity: "error",
    message: message`expected a constant, but ${"found"} is known only when a device runs`,
  },
  "division-by-zero": { code: "VG2006", severity: "error", message: message`division by zero` },
  "value-out-of-range": {
    code: "VG2007",
    severity: "error",
    message: message`${"what"} is ${"value"}, which is not in ${"low"} .. ${"high"}`,
  },
  "clause-not-here": { code: "VG2008", severity: "error", message: message`\`${"word"}\` does not apply to ${"what"}` },
  "duplicate-clause": { code: "VG2009", severity: "error", message: message`\`${"word"}\` is given twice` },
  "unknown-version": {
    code: "VG2010",
    severity: "error",
    message: message`${"version"} is not a version of the specification`,
  },
  "older-than-encloser": {
    code: "VG2011",
    severity: "error",
    message: message`${"name"} is since ${"since"}, but ${"encloser"} only since ${"outer"}`,
  },
  "until-before-since": {
    code: "VG2012",
    severity: "error",
    message: message`${"name"} ends with ${"until"}, before it begins with ${"since"}`,
  },
  "wrong-kind": {
    code: "VG2013",
    severity: "error",
    message: message`expected ${"expected"}, but ${"name"} is ${"found"}`,
  },
  "duplicate-value": {
    code: "VG2014",
    severity: "error",
    message: message`${"name"} has the value ${"value"}, as has ${"other"}`,
  },
  "duplicate-device-id": {
    code: "VG2015",
    severity: "error",
    message: message`device ${"name"} has the number ${"id"}, as has ${"other"}`,
  },
  "wrong-operand": { code: "VG2016", severity: "error", message: message`expected ${"expected"}, found ${"found"}` },
  "wrong-argument-count": {
    code: "VG2017",
    severity: "error",
    message: message`${"name"} takes ${"expected"} values, but ${"given"} are given`,
  },
  "expression-too-large": {
    code: "VG2018",
    severity: "error",
    message: message`the expression is too large: ${"reason"}`,
  },
  "only-in-device": { code: "VG2019", severity: "error", message: message`${"what"} can only be declared in a device` },
  "missing-value": { code: "VG2020", severity: "error", message: message`${"what"} ${"name"} needs ${"needed"}` },
  "ambiguous-name": {
    code: "VG2021",
    severity: "error",
    message: message`${"name"} can mean ${"first"} or ${"second"}`,
  },
  "enum-without-type": {
    code: "VG2022",
    severity: "error",
    message: message`enum ${"name"} has no type, so a field of it has no size`,
  },
  "range-backwards": {
    code: "VG2023",
    severity: "error",
    message: message`the range ends at ${"high"}, before it begins at ${"low"}`,
  },
  "meaning-without-room": {
    code: "VG2024",
    severity: "error",
    message: message`the number never stands for ${"name"}: what is in front of it has no condition`,
  },
  "bitset-without-members": {
    code: "VG2025",
    severity: "error",
    message: message`no member of ${"name"} has a value in ${"low"} .. ${"high"}, so this bitset has no bits`,
  },
  // layout
  "field-overlap": {
    code: "VG3001",
    severity: "error",
    message: message`field ${"name"} is asserted at offset ${"asserted"}, but the fields before it end at ${"actual"}`,
  },
  "size-overrun": {
    code: "VG3002",
    severity: "error",
    message: message`${"name"} takes ${"actual"} bytes, more than the ${"allowed"} that it is given`,
  },
  "not-yet-known": {
    code: "VG3003",
    severity: "error",
    message: message`${"user"} needs ${"name"}, which is not yet known at that point`,
  },
  "bit-field-container": {
    code: "VG3004",
    severity: "error",
    message: message`bit-fields take ${"used"} bits of a ${"type"}, which has ${"available"}`,
  },
  "two-rest-parts": {
    code: "VG3005",
    severity: "error",
    message: message`${"name"} takes the rest, but ${"other"} before it has taken it already`,
  },
  "register-overlap": {
    code: "VG3006",
    severity: "error",
    message: message`register ${"name"} at ${"from"} .. ${"to"} overlaps ${"other"}`,
  },
  "too-large": {
    code: "VG3007",
    severity: "error",
    message: message`${"name"} takes ${"size"} bytes, more than ${"limit"}`,
  },
  "rest-in-array": {
    code: "VG3008",
    severity: "error",
    message: message`elements of ${"name"} would each take all the rest`,
  },
  "varying-size": {
    code: "VG3009",
    severity: "error",
    message: message`${"name"} varies in size, but ${"where"} needs fields of a fixed size`,
  },
  "duplicate-arm": { code: "VG3010", severity: "error", message: message`${"pattern"} is matched twice` },
  "unreachable-arm": {
    code: "VG3011",
    severity: "error",
    message: message`${"pattern"} never comes here: ${"subject"} has been matched already`,
  },
  // features
  "reserved-feature-bit": {
    code: "VG4001",
    severity: "error",
    message: message`feature ${"name"} has bit ${"bit"}, which is not for ${"what"}`,
  },
  "duplicate-feature-bit": {
    code: "VG4002",
    severity: "error",
    message: message`feature ${"name"} has bit ${"bit"}, as has ${"other"}`,
  },
  "requires-form": {
    code: "VG4003",
    severity: "error",
    message: message`only features joined by \`and\` and \`or\` can stand after \`${"word"}\``,
  },
  "feature-never-possible": {
    code: "VG4004",
    severity: "error",
    message: message`feature ${"name"} can never be negotiated: what it requires cannot all hold`,
  },
  "contradictory-rules": {
    code: "VG4005",
    severity: "error",
    message: message`no set of features satisfies this rule together with the others`,
  },
  // queues and requests
  "readable-after-writable": {
    code: "VG5001",
    severity: "error",
    message: message`a readable part cannot follow a writable part`,
  },
  "unknown-queue-role": { code: "VG5002", severity: "error", message: message`unknown queue role ${"role"}` },
  "wrong-message": {
    code: "VG5003",
    severity: "error",
    message: message`a ${"role"} queue carries ${"expected"}, but ${"name"} is ${"found"}`,
  },
  "queue-index-overlap": {
    code: "VG5004",
    severity: "error",
    message: message`queue ${"name"} has index ${"index"}, as has ${"other"}, ${"when"}`,
  },
  "queue-index-range": {
    code: "VG5005",
    severity: "error",
    message: message`queue ${"name"} has index ${"index"} ${"when"}; indexes are 0 .. 65534`,
  },
  "unusable-tag": { code: "VG5006", severity: "error", message: message`cannot match on ${"name"}: ${"reason"}` },
  "too-many-variants": {
    code: "VG5007",
    severity: "error",
    message: message`request ${"name"} has more than ${"limit"} combinations of tags`,
  },
  "failure-not-written": {
    code: "VG5008",
    severity: "error",
    message: message`a failure cannot set ${"name"}: the device does not write it in answer to ${"what"}`,
  },
  "failure-place": {
    code: "VG5009",
    severity: "error",
    message: message`a failure of ${"kind"} cannot set ${"name"}: ${"reason"}`,
  },
  "failure-value": {
    code: "VG5010",
    severity: "error",
    message: message`a failure cannot be ${"value"}, which is no member of ${"enum"}`,
  },
  "failure-source": {
    code: "VG5011",
    severity: "error",
    message: message`a failure of ${"kind"} cannot repeat ${"name"}: ${"reason"}`,
  },
  "failure-missing": {
    code: "VG5012",
    severity: "warning",
    message: message`a device that fails answers ${"kinds"} with 0 bytes: the failures of ${"request"} are of other kinds only`,
  },
  // protocols
  "unreachable-state": {
    code: "VG6001",
    severity: "error",
    message: message`nothing leads to the state ${"name"} of ${"protocol"} from ${"initial"}, where it begins`,
  },
  // files and options
  "import-failed": { code: "VG9001", severity: "error", message: message`cannot import ${"path"}: ${"reason"}` },
  "path-missing": { code: "VG9002", severity: "error", message: message`there is no file or folder ${"path"}` },
  "path-unreadable": { code: "VG9003", severity: "error", message: message`cannot read ${"path"}: ${"reason"}` },
  "path-not-definition": {
    code: "VG9004",
    severity: "error",
    message: message`${"path"} is not a definition: the name of one ends in .virtio`,
  },
  "folder-without-definitions": {
    code: "VG9005",
    severity: "error",
    message: message`there are no .virtio files in ${"path"}`,
  },
  "file-too-large": {
    code: "VG9006",
    severity: "error",
    message: message`${"path"} is larger than ${"limit"} MiB`,
  },
  "output-folder-unusable": {
    code: "VG9007",
    severity: "error",
    message: message`cannot use ${"path"} as the output folder: ${"reason"}`,
  },
  "output-unwritable": { code: "VG9008", severity: "error", message: message`cannot write ${"path"}: ${"reason"}` },
  "output-collision": {
    code: "VG9009",
    severity: "error",
    message: message`two devices would be written to ${"path"}`,
  },
  "output-not-generated": {
    code: "VG9010",
    severity: "error",
    message: message`${"path"} exists and was not generated: it is not overwritten`,
  },
  "output-stale": { code: "VG9011", severity: "error", message: message`${"path"} is out of date` },
  "output-missing": { code: "VG9012", severity: "error", message: message`${"path"} is missing` },
  "output-orphaned": { code: "VG9013", severity: "error", message: message`${"path"} comes from no definition` },
  "cannot-emit": {
    code: "VG9015",
    severity: "error",
    message: message`cannot write ${"construct"} as TypeScript yet (${"place"})`,
  },
  "cannot-watch": { code: "VG9016", severity: "error", message: message`cannot watch ${"path"}: ${"reason"}` },
  "not-formatted": { code: "VG9014", severity: "error", message: message`${"path"} is not formatted` },
});

export type DiagnosticTable = typeof diagnosticTable;
export type DiagnosticName = keyof DiagnosticTable;

/** Names of the holes in the message of a rule. */
export type DiagnosticParameters<Name extends DiagnosticName> =
  DiagnosticTable[Name]["message"] extends MessageTemplate<infer Parameter> ? Parameter : never;
