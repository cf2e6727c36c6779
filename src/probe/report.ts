/** What a check found out. */
export type Verdict = "pass" | "fail" | "not offered" | "not checked";

export interface CheckResult {
  /** Stable, for programs. */
  readonly id: string;
  readonly title: string;
  /** Section of the specification. */
  readonly clause: string;
  readonly verdict: Verdict;
  /** What was seen, or why nothing was; may be empty. */
  readonly seen: string;
}

export interface DeviceReport {
  readonly id: number;
  /** As its definition says; undefined if there is none. */
  readonly name: string | undefined;
  readonly transport: "pci" | "mmio";
  /** Names, or `bit N` for what no definition knows. */
  readonly features: readonly string[];
  /** Undefined if it could not be read; `problem` says why. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  /** Largest sizes, by queue index. */
  readonly queueSizes: readonly number[];
  readonly problem: string | undefined;
  readonly checks: readonly CheckResult[];
}

export interface ProbeReport {
  readonly qemu: string;
  readonly devices: readonly DeviceReport[];
}
