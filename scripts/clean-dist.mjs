// Removes what an earlier build left behind, so that no file of a deleted module is ever published.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
