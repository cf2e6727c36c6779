/** The main job on real data: compile every definition, then run both sides of each device. `npm start`. */
import { paint } from "../shared/terminal.js";
import { compileDefinitions } from "./compile.js";
import { tourDisk } from "./disk.js";
import { tourEntropy } from "./entropy.js";
import { tourNetwork } from "./network.js";
import { tourConsole } from "./terminal-ports.js";

await compileDefinitions(new URL("../../dsl/", import.meta.url));
await tourDisk();
await tourNetwork();
await tourConsole();
await tourEntropy();
console.log(`\n${paint("green", "All of it worked.")} Next: examples/first-device/README.md`);
