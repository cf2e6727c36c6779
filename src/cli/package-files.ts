import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The text of a file that comes with the package, or `undefined` if it does not. */
export function readPackageFile(path: string): string | undefined {
  const file = join(packageFolder(), path);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** The folder of package.json: above this module, whether it runs as source or compiled. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
