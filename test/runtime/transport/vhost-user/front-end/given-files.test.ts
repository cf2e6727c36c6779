import { fstatSync, ftruncateSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "../../../../../src/runtime/transport/vhost-user/index.js";
import type { FrontEndRequest } from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { ScriptedBackEnd } from "../scripted-back-end.js";
import { requireVhostUser } from "../served-device.js";

// Who touches a mapping beyond the end of its file is ended by the system (SIGBUS): the front end, with all that it does.
it.runIf(await requireVhostUser())("gives files away that a back end cannot cut short", async () => {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-given-files-"));
  const path = join(folder, "socket");
  const back = await ScriptedBackEnd.listen(path);
  back.features |= 1n << 26n;
  const cuts: string[] = [];
  back.script = (name, { fds }) => {
    const [fd] = fds;
    if (fd === undefined || (name !== "SET_MEM_TABLE" && name !== "SET_LOG_BASE")) return undefined;
    const { size } = fstatSync(fd);
    for (const length of [0, 4096, 2 * size]) {
      let result = "done";
      try {
        ftruncateSync(fd, length);
        ftruncateSync(fd, size);
      } catch (error) {
        result = error instanceof Error && "code" in error ? String(error.code) : "";
      }
      cuts.push(`${name}: ${result}`);
    }
    return undefined;
  };
  const transport = await connect(path, { deviceId: 2, memorySize: 1 << 20 });
  onTestFinished(() => {
    transport.close();
    back.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await transport.startLog();
  const refused = (name: FrontEndRequest): string[] => Array<string>(3).fill(`${name}: EPERM`);
  expect(cuts).toEqual([...refused("SET_MEM_TABLE"), ...refused("SET_LOG_BASE")]);
});
