import type { Span } from "../diagnostics/source.js";
import type { Clause } from "./clause-syntax.js";
import type { Located, Name, Documentation, Expression } from "./expression-tree.js";
import type { AnswersBlock, ProtocolBlock } from "./protocol-syntax.js";

export type {
  Name,
  Documentation,
  NumberExpression,
  TextExpression,
  PathExpression,
  UnaryOperator,
  UnaryExpression,
  BinaryOperator,
  BinaryExpression,
  ConditionalExpression,
  SizeofExpression,
  CallExpression,
  MissingExpression,
  Expression,
} from "./expression-tree.js";
export type * from "./clause-syntax.js";
export type * from "./protocol-syntax.js";

/**
 * The syntax tree of a `.virtio` file: plain data, one `kind` a node. It holds what the author wrote (number radix,
 * clause order, documentation) and says nothing about whether it makes sense; `model/` decides that. Expressions, clauses
 * and protocols are in files of their own.
 */

// ---- fields and layouts ----

/** What a number stands for: `Cipher`, `bitset Cipher @ 32`, `signed`, `address * 4096`, `address of Domain`, `Flags if op == RW`. */
export interface TypeContent extends Located {
  readonly bitset: boolean;
  readonly name: Name;
  /** Of a bitset: the member that bit 0 is for. */
  readonly from: Expression | undefined;
  /** Of an address: bytes for each 1. */
  readonly scale: Expression | undefined;
  /** Of an address: the address space that it lies in. */
  readonly space: Name | undefined;
  /** When it stands for that. */
  readonly condition: Expression | undefined;
}
/** `le32`, `struct virtio_net_hdr`, `Type`, `le32<Cipher>`, `Vlf(flf.key_len)`. */
export interface NamedType extends Located {
  readonly kind: "named-type";
  readonly keyword: "struct" | "union" | "enum" | undefined;
  readonly name: Name;
  /** What its number stands for; several if that depends on something. */
  readonly contents: readonly TypeContent[];
  readonly arguments: readonly Expression[];
}
export type FieldType = NamedType | StructDeclaration;

/** `[6]`, `[]` (the rest), `[bytes n]` (as many elements as fill n bytes exactly). */
export interface ArrayDimension extends Located {
  readonly length: Expression | undefined;
  readonly unit: "elements" | "bytes";
}

/**
 * `reserved`: written as zero, ignored when read; with `checked` the reader looks at it. `optional`: it is there if the
 * stream is long enough. The others: who may write it, and whether it changes.
 */
export type FieldModifier = "reserved" | "checked" | "optional" | "volatile" | "ro" | "rw" | "wo" | "w1c" | "legacy";
export interface FieldDeclaration extends Located {
  readonly kind: "field";
  readonly documentation: Documentation;
  readonly modifiers: readonly { readonly word: FieldModifier; readonly span: Span }[];
  readonly type: FieldType;
  /** Missing for `reserved le32;` and for an anonymous `struct { ... };`. */
  readonly name: Name | undefined;
  readonly dimensions: readonly ArrayDimension[];
  /** Width of a bit-field. */
  readonly bits: Expression | undefined;
  readonly clauses: readonly Clause[];
}

/** `if (C) { ... } else { ... }` among fields: one layout or the other; what is absent takes no place. */
export interface ConditionalFields extends Located {
  readonly kind: "conditional-fields";
  readonly condition: Expression;
  readonly whenTrue: readonly StructMember[];
  readonly whenFalse: readonly StructMember[];
}

/** One value, an inclusive range, or `default`. */
export type Pattern =
  | (Located & { readonly kind: "value-pattern"; readonly value: Expression })
  | (Located & { readonly kind: "range-pattern"; readonly low: Expression; readonly high: Expression })
  | (Located & { readonly kind: "default-pattern" });

/** `match tag { A => { fields } ... } name sized 48;`: a union with a tag, which may come before or after it. */
export interface MatchFields extends Located {
  readonly kind: "match-fields";
  readonly documentation: Documentation;
  readonly subject: Expression;
  readonly arms: readonly MatchArm<StructMember>[];
  readonly name: Name | undefined;
  readonly clauses: readonly Clause[];
}
export interface MatchArm<Body> extends Located {
  readonly documentation: Documentation;
  readonly patterns: readonly Pattern[];
  readonly clauses: readonly Clause[];
  readonly body: readonly Body[];
}
export type StructMember = FieldDeclaration | ConditionalFields | MatchFields | ConstantDeclaration | MacroDeclaration;

/**
 * `struct`: fields one after the other. `union`: all at the same place. `header`: a struct of which only a prefix may be
 * present, long enough for the last field whose condition holds (virtio_net_hdr).
 */
export interface StructDeclaration extends Located {
  readonly kind: "struct";
  readonly documentation: Documentation;
  readonly keyword: "struct" | "union" | "header";
  /** Missing for an inline anonymous one. */
  readonly name: Name | undefined;
  /** Values that the user of the struct passes in: `struct Vlf(key_len) { u8 key[key_len]; }`. */
  readonly parameters: readonly Name[];
  readonly clauses: readonly Clause[];
  readonly members: readonly StructMember[];
}

// ---- constants ----

/** `const A = 1;` or `#define A 1`. */
export interface ConstantDeclaration extends Located {
  readonly kind: "constant";
  readonly documentation: Documentation;
  readonly syntax: "const" | "define";
  readonly name: Name;
  /** Missing for a bare `#define A`. */
  readonly value: Expression | undefined;
  readonly clauses: readonly Clause[];
}
/** `#define OPCODE(service, op) (((service) << 8) | (op))`. */
export interface MacroDeclaration extends Located {
  readonly kind: "macro";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly parameters: readonly Name[];
  readonly value: Expression;
}

/** `A = 1;`, `B;` (the next value), `C @ 3;` (bit 3), `D = 0x80..0xff;` (a range). */
export interface EnumMember extends Located {
  readonly kind: "enum-member";
  readonly documentation: Documentation;
  readonly legacy: boolean;
  readonly name: Name;
  readonly value: Expression | undefined;
  /** End of an inclusive range. */
  readonly rangeEnd: Expression | undefined;
  /** In a table (`memory`, `capabilities`, ...): the type of what it names. */
  readonly type: NamedType | undefined;
  readonly clauses: readonly Clause[];
}
/** In `flags`: `enum kind mask 0x1f { NONE = 0; }`, a number inside the same word. */
export interface MaskedEnum extends Located {
  readonly kind: "masked-enum";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly mask: Expression;
  readonly clauses: readonly Clause[];
  readonly members: readonly EnumMember[];
}
/** `enum`: one of several values; `open` if others may occur. `flags`: any combination of bits. */
export interface EnumDeclaration extends Located {
  readonly kind: "enum";
  readonly documentation: Documentation;
  readonly keyword: "enum" | "flags";
  readonly open: boolean;
  readonly name: Name | undefined;
  /** `: le32`; C's enums have none. */
  readonly type: NamedType | undefined;
  readonly clauses: readonly Clause[];
  readonly members: readonly (EnumMember | MaskedEnum)[];
}

// ---- what only devices have ----

export interface FeaturesBlock extends Located {
  readonly kind: "features";
  readonly clauses: readonly Clause[];
  /** Members, and rules over several: `require CAN_CLASSIC || CAN_FD;`. */
  readonly members: readonly (EnumMember | FeatureRule)[];
}
export interface FeatureRule extends Located {
  readonly kind: "feature-rule";
  readonly documentation: Documentation;
  readonly condition: Expression;
}
export interface ConfigBlock extends Located {
  readonly kind: "config";
  readonly documentation: Documentation;
  readonly clauses: readonly Clause[];
  readonly members: readonly StructMember[];
}
export interface QueueDeclaration extends Located {
  readonly kind: "queue";
  readonly documentation: Documentation;
  readonly name: Name;
  /** `requestq[N]`. */
  readonly count: Expression | undefined;
  /**
   * Who puts buffers into the queue, and why. `request`: driver asks, device answers. `transmit`: driver to device, no
   * answer. `receive`: driver posts empty buffers, device fills them when it wants. `held`: device keeps one buffer and
   * returns it to ask (balloon statsq). `deferred`: answered when an event happens (gpio eventq).
   */
  readonly role: Name | undefined;
  readonly message: NamedType | undefined;
  readonly clauses: readonly Clause[];
}
export interface QueuesBlock extends Located {
  readonly kind: "queues";
  readonly members: readonly QueueDeclaration[];
}
/** `let pairs = MQ || RSS ? config.max_virtqueue_pairs : 1;`. */
export interface LetDeclaration extends Located {
  readonly kind: "let";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly value: Expression;
}
/** `memory`: shared memory regions by id. The others: numbers of the admin commands, each with its payload. */
export interface TableBlock extends Located {
  readonly kind: "table";
  readonly documentation: Documentation;
  readonly table: "memory" | "capabilities" | "resources" | "parts";
  readonly clauses: readonly Clause[];
  readonly members: readonly EnumMember[];
}
/** `registers mmio { ro le32 MagicValue @ 0x000; }`: like a struct, but `@` places the fields. */
export interface RegistersBlock extends Located {
  readonly kind: "registers";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly clauses: readonly Clause[];
  readonly members: readonly StructMember[];
}
/**
 * `external v4l2_buffer sized 88;`: a layout that another standard defines; in braces what of it rules about answers
 * mention.
 */
export interface ExternalType extends Located {
  readonly kind: "external";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly clauses: readonly Clause[];
  readonly members: readonly StructMember[];
}

// ---- requests ----

export interface StreamPart extends Located {
  readonly kind: "stream";
  readonly direction: "readable" | "writable";
  /** `readable as virtio_x_req { ... }`: what the device reads up to the end of this block is this struct of the specification. */
  readonly clauses: readonly Clause[];
  readonly members: readonly StructMember[];
}
export interface MatchPart extends Located {
  readonly kind: "match-part";
  readonly subject: Expression;
  readonly arms: readonly MatchArm<RequestPart>[];
}
export interface ConditionalPart extends Located {
  readonly kind: "conditional-part";
  readonly condition: Expression;
  readonly whenTrue: readonly RequestPart[];
  readonly whenFalse: readonly RequestPart[];
}
/** `struct virtio_x_vlf { readable { ... } writable { ... } } op_vlf;`: a struct that lies in both streams. */
export interface StructPart extends Located {
  readonly kind: "struct-part";
  readonly name: Name;
  readonly clauses: readonly Clause[];
  readonly parts: readonly RequestPart[];
  readonly field: Name | undefined;
}
export type RequestPart = StreamPart | MatchPart | ConditionalPart | StructPart;
export interface RequestDeclaration extends Located {
  readonly kind: "request";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly clauses: readonly Clause[];
  readonly parts: readonly RequestPart[];
}

// ---- files ----

export interface SpecSection extends Located {
  readonly kind: "spec-section";
  readonly text: string;
}
export type Declaration =
  | SpecSection
  | FeaturesBlock
  | ConfigBlock
  | QueuesBlock
  | StructDeclaration
  | EnumDeclaration
  | ConstantDeclaration
  | MacroDeclaration
  | LetDeclaration
  | RequestDeclaration
  | TableBlock
  | RegistersBlock
  | ExternalType
  | ProtocolBlock
  | AnswersBlock
  /** A field outside a struct: pasted listings have a few (`le64 offloads;`). */
  | FieldDeclaration;

/** `device blk = 2 { ... }`; `core virtio { ... }` for what all devices share, which has no number. */
export interface DeviceDeclaration extends Located {
  readonly kind: "device";
  readonly documentation: Documentation;
  readonly keyword: "device" | "core";
  readonly name: Name;
  readonly id: Expression | undefined;
  readonly clauses: readonly Clause[];
  readonly members: readonly Declaration[];
}
/** `import "core.virtio";`, relative to the file. */
export interface ImportDeclaration extends Located {
  readonly kind: "import";
  readonly path: string;
}
export type TopLevel = ImportDeclaration | DeviceDeclaration | Declaration;

/** A comment that is not documentation, for the printer. */
export interface Comment extends Located {
  readonly kind: "line-comment" | "block-comment";
  /** With its delimiters. */
  readonly text: string;
}
export interface SourceFile extends Located {
  readonly kind: "file";
  readonly items: readonly TopLevel[];
  readonly comments: readonly Comment[];
}
