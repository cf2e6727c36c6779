import type { EnumModel, StructModel } from "../../model/device-model.js";

/** Identifiers: from the specification's spelling to one that C and C++ accept. */

const RESERVED_WORDS = new Set(
  // C and C++
  (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval " +
    "constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast " +
    "else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not " +
    "not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return short " +
    "signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid " +
    "typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq " +
    // macros of system headers and compilers
    "errno linux unix assert offsetof stdin stdout stderr major minor makedev"
  ).split(" "),
);

/** Structs of the system that a program may want beside ours. */
const SYSTEM_STRUCTS = new Set("in_addr in6_addr timespec timeval stat sockaddr".split(" "));

/** A name for a member: the specification's; `class` and the like get a `_`. */
export function memberName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, "_");
  const safe = /^\d/.test(plain) ? `_${plain}` : plain;
  return RESERVED_WORDS.has(safe) ? `${safe}_` : safe;
}

/** The tag of a struct or union: the specification's name. */
export function tagName({ specName, name }: Pick<StructModel, "specName" | "name">): string {
  const tag = memberName(specName === "" ? name : specName);
  return SYSTEM_STRUCTS.has(tag) ? `virtio_${tag}` : tag;
}

/** `QueueNumMax`, `num-queues` -> `QUEUE_NUM_MAX`, `NUM_QUEUES`. */
export function macroName(name: string): string {
  const separated = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_");
  return separated.toUpperCase();
}

/** A constant as the specification spells it (`VIRTIO_NET_HASH_TYPE_IPv4`), as far as C allows. */
export function constantName(name: string): string {
  return memberName(name);
}

/**
 * A member of an enum as the specification spells it. Where that is a plain word (`DRIVER`, `FAILED`), a macro would be in
 * everybody's way: it gets the name of the enum in front, `VIRTIO_DEVICE_STATUS_DRIVER`.
 */
export function enumConstantName(specName: string, declared: Pick<EnumModel, "specName" | "members">): string {
  const isPlain = !/^virt/i.test(specName) && declared.members.some(({ name }) => name === specName);
  return constantName(isPlain ? `${macroName(declared.specName)}_${specName}` : specName);
}

/** `GetLifetime` -> `get_lifetime`. */
export function snakeName(name: string): string {
  return macroName(name).toLowerCase();
}

/** Hands out names in one scope, each once. */
export class MemberNames {
  readonly #taken = new Set<string>();

  claim(wanted: string): string {
    let name = memberName(wanted);
    for (let count = 2; this.#taken.has(name); count++) name = `${memberName(wanted)}_${count}`;
    this.#taken.add(name);
    return name;
  }
}
