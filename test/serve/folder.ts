import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder for one test, which goes away with it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-serve-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
