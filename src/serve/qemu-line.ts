import { resolve } from "node:path";

/** What QEMU calls the front end of a device. */
const FRONT_ENDS = {
  blk: "vhost-user-blk-pci",
  net: "virtio-net-pci",
  rng: "vhost-user-rng-pci",
  input: "vhost-user-input-pci",
  vsock: "vhost-user-vsock-pci",
  fs: "vhost-user-fs-pci",
  crypto: "virtio-crypto-pci",
} as const;

/** What `virtio-gen serve` can serve. */
export type ServedKind = keyof typeof FRONT_ENDS;
export const servedKinds = Object.keys(FRONT_ENDS) as readonly ServedKind[];

export interface QemuLineOptions {
  readonly kind: ServedKind;
  readonly socket: string;
  /** Properties of the front end, such as `num-queues=4`. */
  readonly properties?: readonly string[];
  /** Pairs of queues of a network card; 1 if absent. */
  readonly pairs?: number;
  /** Memory of the guest in MiB; it has to be shared with the back end. 512 if absent. */
  readonly memory?: number;
}

/** Arguments for QEMU that attach it to a served device, grouped as they belong together. */
export function qemuArguments(options: QemuLineOptions): string[][] {
  const { kind, socket, properties = [], pairs = 1, memory = 512 } = options;
  const device = FRONT_ENDS[kind];
  const size = `${memory}M`;
  // QEMU 7.2 crashes when a crypto device comes back.
  const reconnects = kind === "crypto" ? "" : ",reconnect=1";
  const shared = [
    ["-m", size],
    ["-object", `memory-backend-memfd,id=mem,size=${size},share=on`, "-numa", "node,memdev=mem"],
    ["-chardev", `socket,id=${kind},path=${escaped(resolve(socket))}${reconnects}`],
  ];
  if (kind === "crypto") return [...shared, ...cryptoArguments(properties)];
  if (kind !== "net") return [...shared, ["-device", [device, `chardev=${kind}`, ...properties].join(",")]];
  const many = pairs > 1 ? [`queues=${pairs}`] : [];
  // Without KVM, QEMU 7.2 crashes on a vhost-user card with message-signalled interrupts, and on one with a boot ROM.
  const card = [device, "netdev=n", ...(pairs > 1 ? ["mq=on"] : []), "vectors=0", "romfile=", ...properties];
  return [
    ...shared,
    ["-netdev", ["vhost-user", "id=n", `chardev=${kind}`, ...many].join(",")],
    ["-device", card.join(",")],
  ];
}

/** Without KVM, QEMU crashes on message-signalled interrupts here, too. */
function cryptoArguments(properties: readonly string[]): string[][] {
  const device = [FRONT_ENDS.crypto, "cryptodev=engine", "vectors=0"];
  return [
    ["-object", "cryptodev-vhost-user,id=engine,chardev=crypto"],
    ["-device", [...device, ...properties].join(",")],
  ];
}

/** The same as a shell command over several lines. */
export function qemuCommand(options: QemuLineOptions): string {
  const groups = qemuArguments(options).map((words) => words.map(quoted).join(" "));
  return ["qemu-system-x86_64", ...groups].join(" \\\n  ");
}

/** QEMU takes two commas as one that does not end the value. */
function escaped(path: string): string {
  return path.replaceAll(",", ",,");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
