import type { BuildTimes } from "../compiler/build.js";
import { countOf } from "../diagnostics/render-text.js";
import type { Model } from "../model/device-model.js";

/** What a model holds, as the summary of a build counts it. */
export interface ModelCounts {
  readonly devices: number;
  readonly features: number;
  readonly structs: number;
}

export function countsOf(model: Model): ModelCounts {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    devices: model.devices.length,
    features: sum(model.devices.map((device) => device.features.length)),
    structs: model.shared.structs.length + sum(model.devices.map((device) => device.structs.length)),
  };
}

export function countsText({ devices, features, structs }: ModelCounts): string {
  return [countOf(devices, "device"), countOf(features, "feature"), countOf(structs, "struct")].join(", ");
}

/** Milliseconds of each phase of a build, reading and writing of files included. */
export interface PhaseTimes extends BuildTimes {
  readonly read: number;
  readonly write: number;
}

const phases = ["read", "parse", "check", "emit", "format", "write"] as const;

export function timesText(times: PhaseTimes): string {
  return phases.map((phase) => `${phase} ${milliseconds(times[phase])}`).join(", ");
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : String(Math.round(value))} ms`;
}

/** For programs: two decimals are as much as the clock means. */
export function roundedTimes(times: PhaseTimes): Readonly<Record<string, number>> {
  return Object.fromEntries(phases.map((phase) => [phase, Math.round(times[phase] * 100) / 100]));
}
