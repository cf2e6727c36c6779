export { probe, type ProbeOptions } from "./probe.js";
export type { CheckResult, DeviceReport, ProbeReport, Verdict } from "./report.js";
