/**
 * Whole-process time of `virtio-gen build dsl`, split into its phases; the same for 10 and 100 times the input. Time must
 * grow with the input and no faster, and parse + check + emit must take less time than laying the result out.
 *
 *   npm run bench:compile -- [--json] [--sizes 1,10,100] [--runs 3] [--emit ts]     --emit c: without laying anything out
 */
import { execFile } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { scaleInput } from "./scaled-input.js";

const phases = ["read", "parse", "check", "emit", "format", "write"] as const;
type Phase = (typeof phases)[number];
type Times = Readonly<Record<Phase | "process", number>>;

interface Measurement {
  readonly factor: number;
  readonly files: number;
  readonly bytes: number;
  /** Milliseconds; of the run whose phases were fastest in all. */
  readonly times: Times;
}

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

async function measureOnce(folder: string, out: string, cache: readonly string[] = ["--no-cache"]): Promise<Times> {
  const started = performance.now();
  const node = ["--import", "tsx", "--conditions=virtio-gen-source", join(root, "src/cli/main.ts")];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...node, "build", folder, "--out", out, "--format", "json", "--emit", values.emit, ...cache],
    { cwd: root, maxBuffer: 1 << 28 },
  );
  const whole = performance.now() - started;
  const { milliseconds } = JSON.parse(stdout) as { readonly milliseconds: Readonly<Record<Phase, number>> };
  return { ...milliseconds, process: whole };
}

const total = (times: Times): number => phases.reduce((sum, phase) => sum + times[phase], 0);

async function measure(factor: number, runs: number, work: string): Promise<Measurement> {
  const input = scaleInput(join(root, "dsl"), join(work, `input-${factor}`), factor);
  let best: Times | undefined;
  for (let run = 0; run < runs; run++) {
    const times = await measureOnce(input.folder, join(work, `output-${factor}-${run}`));
    if (!best || total(times) < total(best)) best = times;
  }
  if (!best) throw new Error("--runs must be 1 or more");
  return { factor, files: input.files, bytes: input.bytes, times: best };
}

/** The same folder again and again with a cache: nothing known, nothing changed, and a comment added to one file. */
async function measureCache(work: string): Promise<readonly (readonly [string, Times])[]> {
  const { folder } = scaleInput(join(root, "dsl"), join(work, "input-cached"), 1);
  const run = (): Promise<Times> =>
    measureOnce(folder, join(work, "output-cached"), ["--cache-dir", join(work, "cache")]);
  const cold = await run();
  const warm = await run();
  appendFileSync(join(folder, "console.virtio"), "// changed\n");
  return [
    ["nothing known", cold],
    ["nothing changed", warm],
    ["console.virtio changed", await run()],
  ];
}

function cacheTable(rows: readonly (readonly [string, Times])[]): string {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, index) => cell.padStart(index === 0 ? 24 : 9)).join("");
  return [
    line(["with a cache", ...phases, "process"]),
    ...rows.map(([what, times]) =>
      line([what, ...phases.map((phase) => times[phase].toFixed(1)), times.process.toFixed(0)]),
    ),
  ].join("\n");
}

const nanosecondsPerByte = (milliseconds: number, { bytes }: Measurement): number => (milliseconds * 1e6) / bytes;

/** Time before layout, over the time of layout: below 1 is what we want. */
const compileToFormat = ({ times }: Measurement): number => (times.parse + times.check + times.emit) / times.format;

function table(measurements: readonly Measurement[]): string {
  const rows = [
    ["input", "files", "bytes", ...phases, "process", "ns/byte"],
    ...measurements.map((measurement) => [
      `${measurement.factor}x`,
      String(measurement.files),
      String(measurement.bytes),
      ...phases.map((phase) => measurement.times[phase].toFixed(1)),
      measurement.times.process.toFixed(0),
      nanosecondsPerByte(total(measurement.times), measurement).toFixed(0),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ")).join("\n");
}

/** Time per byte at the largest input over that at the smallest, phase by phase: 1 or less is linear. */
function growth(measurements: readonly Measurement[]): readonly (readonly [Phase, number])[] {
  const first = measurements[0];
  const last = measurements.at(-1);
  if (!first || !last) return [];
  // What took no time worth the name says nothing.
  return phases
    .filter((phase) => first.times[phase] >= 1)
    .map((phase) => [
      phase,
      nanosecondsPerByte(last.times[phase], last) / nanosecondsPerByte(first.times[phase], first),
    ]);
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    sizes: { type: "string", default: "1,10,100" },
    runs: { type: "string", default: "3" },
    emit: { type: "string", default: "ts" },
  },
});
const work = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
try {
  const measurements: Measurement[] = [];
  for (const factor of values.sizes.split(",").map(Number)) {
    // The largest input runs long enough to need no second try.
    measurements.push(await measure(factor, factor >= 100 ? 1 : Number(values.runs), work));
  }
  const cached = await measureCache(work);
  const ratios = measurements.map((measurement) => ({
    factor: measurement.factor,
    ratio: compileToFormat(measurement),
  }));
  if (values.json) {
    const report = {
      measurements,
      growth: Object.fromEntries(growth(measurements)),
      compileToFormat: ratios,
      cached: Object.fromEntries(cached),
    };
    console.log(JSON.stringify(report, undefined, 2));
  } else {
    console.log(`${cacheTable(cached)}\n`);
    console.log(`virtio-gen build dsl, milliseconds\n\n${table(measurements)}\n`);
    console.log("time per byte, largest input over smallest (1 or less is linear):");
    console.log(
      `  ${growth(measurements)
        .map(([phase, ratio]) => `${phase} ${ratio.toFixed(2)}`)
        .join(", ")}\n`,
    );
    if (values.emit === "ts") {
      console.log("(parse + check + emit) / format (below 1 is the goal):");
      console.log(`  ${ratios.map(({ factor, ratio }) => `${factor}x ${ratio.toFixed(2)}`).join(", ")}`);
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
