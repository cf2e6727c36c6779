import { describe, expect, it } from "vitest";
import { VirtioDeviceMode, virtioAdminCommandCodec, type VirtioAdminCommand } from "../../generated/core.js";
import { ByteWriter } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { AdminDevice, AdminDriver } from "./admin-ends.js";

/** A device that knows two commands, and a capability. */
function serve(request: VirtioAdminCommand) {
  switch (request.opcode) {
    case "LIST_QUERY":
      return request.complete({
        status: "OK",
        statusQualifier: "OK",
        commandSpecificResult: { deviceAdminCmdOpcodes: [0b11n | (1n << 8n)] },
      });
    case "LIST_USE":
      used.push(...request.commandSpecificData.deviceAdminCmdOpcodes);
      return request.complete({ status: "OK", statusQualifier: "OK" });
    case "DEVICE_CAP_GET":
      if (request.commandSpecificData.id !== "DEV_PARTS_CAP") {
        return request.complete({ status: "ENXIO", statusQualifier: "INVALID_FIELD" });
      }
      return request.complete({
        status: "OK",
        statusQualifier: "OK",
        commandSpecificResult: { capSpecificData: Uint8Array.of(4, 2) },
      });
    default:
      return request.complete({ status: "EINVAL", statusQualifier: "INVALID_OPCODE" });
  }
}
const used: bigint[] = [];

describe("administration commands, on a queue of a device that somebody has written", () => {
  it("go to the device, and their results come back", async () => {
    const driver = await AdminDriver.start(loopback(new AdminDevice({ adminq: serve })));
    const self = { groupType: "SELF", groupMemberId: 0n } as const;
    const list = await driver.adminq.submit({ opcode: "LIST_QUERY", ...self, commandSpecificResult: 8 });
    expect(list).toMatchObject({ status: "OK", commandSpecificResult: { deviceAdminCmdOpcodes: [0x103n] } });
    await driver.adminq.submit({ opcode: "LIST_USE", ...self, commandSpecificData: { deviceAdminCmdOpcodes: [0x103n] } });
    expect(used).toEqual([0x103n]);
    const capability = await driver.adminq.submit({
      opcode: "DEVICE_CAP_GET",
      ...self,
      commandSpecificData: { id: "DEV_PARTS_CAP" },
      commandSpecificResult: 16,
    });
    expect(capability.status).toBe("OK");
    expect(capability.commandSpecificResult?.capSpecificData).toEqual(Uint8Array.of(4, 2));
    const failed = await driver.adminq.submit({
      opcode: "DEVICE_CAP_GET",
      ...self,
      commandSpecificData: { id: 0x800 },
      commandSpecificResult: 16,
    });
    expect(failed).toMatchObject({ status: "ENXIO", statusQualifier: "INVALID_FIELD" });
    await driver.stop();
  });

  it("have a codec for who has no queue", () => {
    const input = {
      opcode: "DEV_MODE_SET",
      groupType: "SR_IOV",
      groupMemberId: 3n,
      commandSpecificData: { flags: VirtioDeviceMode.STOPPED },
    } as const;
    expect(virtioAdminCommandCodec.readableSize(input)).toBe(25);
    expect(virtioAdminCommandCodec.writableSize(input)).toBe(8);
    const bytes = new Uint8Array(25);
    const writer = new ByteWriter(bytes);
    virtioAdminCommandCodec.encode(input, writer);
    expect(writer.error).toBeUndefined();
    expect([...bytes]).toEqual([17, 0, 1, 0, ...new Array<number>(12).fill(0), 3, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(virtioAdminCommandCodec.decode(input, Uint8Array.of(16, 0, 7, 0, 0, 0, 0, 0), 8)).toMatchObject({
      status: "EBUSY",
      statusQualifier: "TRYAGAIN",
    });
  });
});
