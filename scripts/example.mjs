// Runs examples/<name>/main.ts from the sources, without a build.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const examples = new URL("../examples/", import.meta.url);
const [name = "", ...rest] = process.argv.slice(2);
const program = new URL(`${name}/main.ts`, examples);
if (!/^[\w-]+$/.test(name) || !existsSync(program)) {
  const names = readdirSync(examples).filter((entry) => existsSync(new URL(`${entry}/main.ts`, examples)));
  console.error(`usage: npm run example <name>\n\nThere are: ${names.join(", ")}.`);
  process.exit(2);
}
const flags = ["--import", "tsx", "--conditions=virtio-gen-source"];
const root = fileURLToPath(new URL("..", import.meta.url));
const result = spawnSync(process.execPath, [...flags, fileURLToPath(program), ...rest], {
  stdio: "inherit",
  cwd: root,
});
process.exit(result.status ?? 1);
