import type { DeviceReport, ProbeReport, Verdict } from "../probe/index.js";
import { paletteOf, type Palette } from "../diagnostics/render-colour.js";
import { ExitCode, UsageError } from "./exit-code.js";
import type { Io } from "./io.js";
import { usesColour } from "./reporter.js";

export interface ProbeFlags {
  readonly machine: "pc" | "microvm";
  /** Devices to add, with what they need behind them. */
  readonly device: readonly string[];
  readonly qemu: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** What devices need behind them to start. */
const BACK_ENDS: readonly (readonly [RegExp, (id: string) => readonly [string, readonly string[]]])[] = [
  [/^virtio-blk/, (id) => [`,drive=${id}`, ["-drive", `if=none,id=${id},driver=null-co,size=64M,read-zeroes=on`]]],
  // A hub whose other port leads nowhere: what is sent is thrown away.
  [
    /^virtio-net/,
    (id) => [
      `,netdev=${id}`,
      [id, `${id}-sink`].flatMap((port) => ["-netdev", `hubport,id=${port},hubid=${id.replace(/\D/g, "")}`]),
    ],
  ],
];

/** `virtio-gen probe`. QEMU that cannot be run, or dies, counts as a command that was used wrongly. */
export async function probeCommand(rest: readonly string[], flags: ProbeFlags, io: Io): Promise<ExitCode> {
  const wanted = [...flags.device.flatMap(withBackEnd), ...rest];
  if (wanted.length === 0) {
    throw new UsageError("say which devices: --device virtio-blk-pci, or QEMU's own arguments behind --");
  }
  const stopped = new AbortController();
  io.onStop(() => stopped.abort());
  // Generated drivers and the runtime: nothing else of the command needs them.
  const { probe } = await import("../probe/index.js");
  let report: ProbeReport;
  try {
    report = await probe({
      machine: flags.machine,
      arguments: wanted,
      program: flags.qemu,
      signal: stopped.signal,
    });
  } catch (error) {
    if (error instanceof Error && error.name === "QemuError") throw new UsageError(error.message);
    throw error;
  }
  if (flags.json === true) io.stdout.write(`${JSON.stringify(report, plainNumbers, 2)}\n`);
  else io.stdout.write(reportText(report, paletteOf(usesColour(io.stdout, io.env, flags.color))));
  const hasFailed = report.devices.some(
    ({ problem, checks }) => problem !== undefined || checks.some(({ verdict }) => verdict === "fail"),
  );
  return hasFailed ? ExitCode.ERRORS : ExitCode.OK;
}

function withBackEnd(device: string, index: number): string[] {
  const id = `probe${String(index)}`;
  const found = BACK_ENDS.find(([name]) => name.test(device));
  const [property, backEnd] = found === undefined || /,(drive|netdev)=/.test(device) ? ["", []] : found[1](id);
  return [...backEnd, "-device", device + property];
}

function reportText({ qemu, devices }: ProbeReport, palette: Palette): string {
  return `QEMU ${qemu}\n${devices.map((device) => `\n${deviceText(device, palette)}`).join("")}`;
}

function deviceText(device: DeviceReport, palette: Palette): string {
  const { id, name = "unknown", transport, features, config, queueSizes, problem, checks } = device;
  const facts: [string, string][] = [
    ["features", features.join(" ")],
    ["queues", `${String(queueSizes.length)}: ${runs(queueSizes)}`],
  ];
  if (config !== undefined) facts.push(["config", configText(config)]);
  const lines = facts.flatMap(([label, text]) =>
    wrapped(text).map((line, index) => `  ${palette.label((index === 0 ? label : "").padEnd(9))} ${line}\n`),
  );
  if (problem !== undefined) lines.push(`  ${palette.error("problem".padEnd(9))} ${problem}\n`);
  const width = Math.max(0, ...checks.map(({ title }) => title.length));
  const clauses = Math.max(0, ...checks.map(({ clause }) => clause.length));
  const paint: Record<Verdict, (text: string) => string> = {
    pass: palette.success,
    fail: palette.error,
    "not offered": palette.faint,
    "not checked": palette.faint,
  };
  const rows = checks.map(({ title, clause, verdict, seen }) =>
    `  ${clause.padEnd(clauses)}  ${title.padEnd(width)}  ${paint[verdict](verdict.padEnd(11))}  ${seen}`.trimEnd(),
  );
  const heading = palette.strong(`virtio-${name} (device ${String(id)}) over ${transport.toUpperCase()}`);
  return `${heading}\n${lines.join("")}\n${rows.map((row) => `${row}\n`).join("")}`;
}

/** `256 x 2, 64`. */
function runs(sizes: readonly number[]): string {
  const parts: { size: number; count: number }[] = [];
  for (const size of sizes) {
    const last = parts.at(-1);
    if (last?.size === size) last.count++;
    else parts.push({ size, count: 1 });
  }
  return parts.map(({ size, count }) => (count === 1 ? String(size) : `${String(size)} x ${String(count)}`)).join(", ");
}

function configText(config: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(config).filter(([, value]) => value !== undefined);
  return fields.map(([name, value]) => `${name}=${JSON.stringify(value, plainNumbers)}`).join(" ");
}

/** Bytes as hexadecimal digits, and large numbers as digits. */
function plainNumbers(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > 88) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}
