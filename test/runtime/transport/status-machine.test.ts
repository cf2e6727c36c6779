// The device status and feature machine, exact: what each write, each other thing that a driver does and each thing that
// happens to the device does in every state, through the registers of both transports. The table is the test.
import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus, ProtocolError, type CommonFeatureName } from "../../../src/runtime/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import type { MakeRawSide } from "../fixtures/raw-side.js";
import { MmioSide, PciSide, type RegisterSide } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "./machines.js";

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, NEEDS_RESET, FAILED } = DeviceStatus;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Bits by letter, in the order in which they are written in the table. */
const LETTERS = {
  A: ACKNOWLEDGE,
  D: DRIVER,
  F: FEATURES_OK,
  O: DRIVER_OK,
  S: SUSPEND,
  N: NEEDS_RESET,
  X: FAILED,
} as const;
const lettersOf = (status: number): string => {
  const letters = Object.entries(LETTERS).flatMap(([letter, bit]) => ((status & bit) === 0 ? [] : [letter]));
  return letters.join("") || "0";
};
const bitsOf = (letters: string): number =>
  Object.entries(LETTERS).reduce((bits, [letter, bit]) => (letters.includes(letter) ? bits | bit : bits), 0);

/** What is reported, by the mark that stands for it behind the status. */
const MARKS: Readonly<Record<string, string>> = {
  "status-bit-cleared": "c",
  "status-order": "o",
  "status-bit-reserved": "r",
  "status-after-failed": "x",
  "feature-not-offered": "n",
  "features-frozen": "z",
  "version-1-required": "v",
  "queue-phase": "p",
  "notify-before-driver-ok": "b",
  "notify-disabled-queue": "d",
  "queue-reset-refused": "q",
  "config-phase": "p",
  suspended: "s",
};

class Device extends EchoDevice {
  breakDown(): void {
    this.needsReset(new Error("on fire"));
  }
}

type Make = (...all: Parameters<MakeRawSide>) => RegisterSide;

function setup(make: Make) {
  const errors: Error[] = [];
  const device = new Device({
    features: ["COUNT", "RING_RESET", "SUSPEND"],
    config: { level: 1, maxData: 2 },
    queueSize: 64,
    requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
    onProtocolError: (error) => errors.push(error),
  });
  let made: RegisterSide | undefined;
  const driver = new RawDriver(device, { side: (of, told) => (made = make(of, told)) });
  if (made === undefined) throw new Error("no side");
  return { device, driver, side: made, errors };
}
type Rig = ReturnType<typeof setup>;

/** Accepts what goes with VERSION_1 and these, and asks for FEATURES_OK with the status that is there. */
function accept({ side }: Rig, names: readonly CommonFeatureName[], bad = false): void {
  side.acceptWord(0, 1 << EchoFeature.COUNT);
  const bits = ["VERSION_1" as const, ...names].reduce((word, name) => word | (1 << (CommonFeature[name] - 32)), 0);
  side.acceptWord(1, bits | (bad ? 1 << 30 : 0));
}

/** Brings a device into the state that these letters say. */
async function enter(rig: Rig, letters: string, names: readonly CommonFeatureName[]): Promise<void> {
  const { side, device } = rig;
  let status = 0;
  for (const letter of ["A", "D", "F", "O"]) {
    if (letter === "F") accept(rig, names);
    const isThere = letters.includes(letter) || (letter === "O" && letters.includes("S"));
    if (isThere) side.writeStatus((status |= bitsOf(letter)));
  }
  if (letters.includes("S")) side.writeStatus(status | SUSPEND);
  await turn();
  if (letters.includes("N")) device.breakDown();
  if (letters.includes("X")) side.writeStatus(side.readStatus() | FAILED);
  side.line.length = 0;
  if (side instanceof PciSide) side.isr();
  else if (side instanceof MmioSide) side.transport.write(0x64, 4, 3);
  side.line.length = 0;
  rig.errors.length = 0;
  expect(lettersOf(side.readStatus())).toBe(letters);
}

/** What is seen of an event: the status afterwards (= as before), what was reported, whether the driver was told, and more. */
async function outcome(rig: Rig, state: string, happen: (typeof events)[string]): Promise<string> {
  const extra = await happen(rig, rig.side.readStatus());
  const { side, errors } = rig;
  const marks = errors.map((error) => (error instanceof ProtocolError ? (MARKS[error.rule] ?? error.rule) : ""));
  const now = lettersOf(side.readStatus());
  return [
    now === state ? "=" : now,
    ...marks,
    side.line.length > 0 ? "!" : "",
    typeof extra === "string" ? extra : "",
  ].join("");
}

/** What happens, and what is seen of it besides the status and what is reported. */
const events: Readonly<Record<string, (rig: Rig, status: number) => unknown>> = {
  "write 0": ({ side }) => side.writeStatus(0),
  "write A": ({ side }) => side.writeStatus(ACKNOWLEDGE),
  "write AD": ({ side }) => side.writeStatus(ACKNOWLEDGE | DRIVER),
  "write ADF": ({ side }) => side.writeStatus(bitsOf("ADF")),
  "write ADFO": ({ side }) => side.writeStatus(bitsOf("ADFO")),
  "add A": ({ side }, status) => side.writeStatus(status | ACKNOWLEDGE),
  "add D": ({ side }, status) => side.writeStatus(status | DRIVER),
  "add F": (rig, status) => {
    if ((status & FEATURES_OK) === 0) accept(rig, ["RING_RESET", "SUSPEND"]);
    rig.side.writeStatus(status | FEATURES_OK);
  },
  "add F, one not offered": (rig, status) => {
    accept(rig, ["RING_RESET"], true);
    rig.errors.length = 0;
    rig.side.writeStatus(status | FEATURES_OK);
  },
  "add F, no VERSION_1": (rig, status) => {
    rig.side.acceptWord(1, 0);
    rig.errors.length = 0;
    rig.side.writeStatus(status | FEATURES_OK);
  },
  "add O": ({ side }, status) => side.writeStatus(status | DRIVER_OK),
  "add FO": ({ side }, status) => side.writeStatus(status | FEATURES_OK | DRIVER_OK),
  "add S": async ({ side }, status) => {
    side.writeStatus(status | SUSPEND);
    await turn();
  },
  "add X": ({ side }, status) => side.writeStatus(status | FAILED),
  "add N": ({ side }, status) => side.writeStatus(status | NEEDS_RESET),
  "add 0x20": ({ side }, status) => side.writeStatus(status | 0x20),
  "the same": ({ side }, status) => {
    if (status !== 0) side.writeStatus(status);
  },
  "without N": ({ side }, status) => {
    if ((status & ~NEEDS_RESET) !== 0) side.writeStatus(status & ~NEEDS_RESET);
  },
  "only X": ({ side }) => side.writeStatus(FAILED),
  "accept features": ({ side, device }) => {
    side.acceptWord(0, 1 << EchoFeature.MERGE);
    return device.driverFeatures.has(EchoFeature.MERGE) ? "+" : "-";
  },
  "read features": ({ side, device }) => (side.offeredWord(1) === device.offered.word(1) ? "+" : "-"),
  "enable a queue": ({ side, driver }) => {
    side.queue(0)?.configure(driver.place(16));
    side.writeEnable(1);
    return side.readEnable() === 1 ? "+" : "-";
  },
  "notify a queue": ({ side }) => side.notify(0),
  "reset a queue": ({ side }) => {
    side.select(0);
    side.writeReset(1);
  },
  "add S, not negotiated": async ({ side }, status) => {
    side.writeStatus(status | SUSPEND);
    await turn();
  },
  "reset a queue, not negotiated": ({ side }) => {
    side.select(0);
    side.writeReset(1);
  },
  "read config": ({ side }) => (side.readConfig(4, 4) === 2 ? "+" : "-"),
  "write config": ({ side }) => {
    side.writeConfig(8, 1, 7);
    return side.readConfig(8, 1) === 7 ? "+" : "-";
  },
  "config changes": ({ side, device }) => {
    const before = side.generation();
    device.config.level = 9;
    expect(side.generation()).not.toBe(before);
  },
  "device breaks": ({ device }) => device.breakDown(),
};

/**
 * A row for each event, a column for each state. Cells: the status afterwards, `=` if it is as before, then the marks of
 * what was reported (see MARKS), `!` if the driver was told by an interrupt, and `+` or `-` if it was done or not where the
 * event asks for that; `.` where there is no such state. The status never loses a bit but by a reset or by resuming.
 */
const TABLE = `
                              | clause       | 0       A       AD      ADF     ADFO    ADFS    AX      ADX     ADFX    ADFOX   ADFN    ADFON   ADFSN   ADFONX
write 0                       | 2.4.1        | =       0       0       0       0       0       0       0       0       0       0       0       0       0
write A                       | 3.1.1, 2.1.1 | A       =       =c      =c      =c      =c      =c      =c      =c      =c      =c      =c      =c      =c
write AD                      | 3.1.1, 2.1.1 | AD      AD      =       =c      =c      =c      =cx     =c      =c      =c      =c      =c      =c      =c
write ADF                     | 3.1.1, 2.1.1 | ADF     ADF     ADF     =       =c      =c      =cx     =cx     =c      =c      =       =c      =c      =c
write ADFO                    | 3.1.1, 3.4   | ADFo    ADFo    ADFo    ADFO    =       ADFO    =cx     =cx     =cx     =c      ADFON!  =       ADFON!  =c
add A                         | 3.1.1        | A       =       =       =       =       =       =       =       =       =       =       =       =       =
add D                         | 3.1.1        | =o      AD      =       =       =       =       =x      =       =       =       =       =       =       =
add F                         | 3.1.1        | =o      =o      ADF     =       =       =       =x      =x      =       =       =       =       =       =
add F, one not offered        | 2.2.2        | =o      =o      =n      =       =       =       =x      =x      =       =       =       =       =       =
add F, no VERSION_1           | 6.1          | =o      =o      =v      =       =       =       =x      =x      =       =       =       =       =       =
add O                         | 3.1.1, 3.4   | =o      =o      =o      ADFO    =       ADFO    =x      =x      =x      =       ADFON!  =       ADFON!  =
add FO                        | 3.1.1, 3.4   | =oo     =oo     ADFo    ADFO    =       ADFO    =x      =x      =x      =       ADFON!  =       ADFON!  =
add S                         | 3.4.2        | =r      =r      =r      =o      ADFS    =       =x      =x      =x      =x      =o      ADFSN   =       =x
add X                         | 2.1          | X       AX      ADX     ADFX    ADFOX   ADFSX   =       =       =       =       ADFNX   ADFONX  ADFSNX  =
add N                         | 2.1          | =r      =r      =r      =r      =r      =r      =x      =x      =x      =x      =       =       =       =
add 0x20                      | 2.1          | =r      =r      =r      =r      =r      =r      =x      =x      =x      =x      =r      =r      =r      =x
the same                      | 2.1.1        | =       =       =       =       =       =       =       =       =       =       =       =       =       =
without N                     | 2.1.2        | =       =       =       =       =       =       =       =       =       =       =       =       =       =
only X                        | 2.1.1        | X       AXc     ADXc    ADFXc   ADFOXc  ADFSXc  =c      =c      =c      =c      ADFNXc  ADFONXc ADFSNXc =c
accept features               | 3.1.1        | =+      =+      =+      =z-     =z-     =z-     =+      =+      =z-     =z-     =z-     =z-     =z-     =z-
read features                 | 2.2          | =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+
enable a queue                | 3.1.1        | =p-     =p-     =p-     =+      =+      =+      =p-     =p-     =+      =+      =+      =+      =+      =+
notify a queue                | 2.1.2, 3.4.1 | =b      =b      =b      =b      =d      =s      =b      =b      =b      =b      =b      =d      =s      =b
reset a queue                 | 2.6.1        | =q      =q      =q      =       =       =       =q      =q      =       =       =       =       =       =
add S, not negotiated         | 3.4.2        | =r      =r      =r      =r      =r      .       =x      =x      =x      =x      =r      =r      .       =x
reset a queue, not negotiated | 2.6.1        | =q      =q      =q      =q      =q      .       =q      =q      =q      =q      =q      =q      .       =q
read config                   | 2.5.2        | =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+      =+
write config                  | 3.1.1, 3.4.2 | =p-     =p-     =p-     =+      =+      =s-     =p-     =p-     =+      =+      =+      =+      =s-     =+
config changes                | 3.2.1, 3.4.2 | =       =       =       =       =!      =       =       =       =       =!      =       =!      =       =!
device breaks                 | 2.1.2        | N       AN      ADN     ADFN    ADFON!  ADFSN   ANX     ADNX    ADFNX   ADFONX! =       =       =       =
`;

interface Cell {
  readonly event: string;
  readonly clause: string;
  readonly state: string;
  readonly expected: string;
}

function cellsOf(table: string): Cell[] {
  const [head = "", ...rows] = table.trim().split("\n");
  const states = head.split("|")[2]?.trim().split(/ +/) ?? [];
  return rows.flatMap((row) => {
    const [event = "", clause = "", cells = ""] = row.split("|").map((part) => part.trim());
    const parts = cells.split(/ +/);
    if (parts.length !== states.length) throw new Error(`a row of ${String(parts.length)} cells: ${event}`);
    return states.map((state, column) => ({ event, clause, state, expected: parts[column] ?? "" }));
  });
}
const cells = cellsOf(TABLE).filter(({ expected }) => expected !== ".");

const sides: Readonly<Record<"PCI" | "MMIO", Make>> = {
  PCI: (device, told) => new PciSide(device, told),
  MMIO: (device, told) => new MmioSide(device, told),
};

describe.each(["PCI", "MMIO"] as const)("the device status behind %s", (name) => {
  it.each(cells)("$state: $event ($clause): $expected", async ({ event, state, expected }) => {
    const happen = events[event];
    if (happen === undefined) throw new Error(`there is no event ${event}`);
    const rig = setup(sides[name]);
    await enter(rig, state, event.endsWith("not negotiated") ? [] : ["RING_RESET", "SUSPEND"]);
    expect(await outcome(rig, state, happen)).toBe(expected);
    const { device, side, driver } = rig;
    const status = lettersOf(side.readStatus());
    expect(device.live).toBe(status.includes("O") && !status.includes("X"));
    expect(device.negotiated.isEmpty).toBe(!status.includes("F"));
    // A reset and a good driver set everything right, whatever it was.
    side.writeStatus(0);
    await turn();
    expect([side.readStatus(), device.negotiated.isEmpty, device.driverFeatures.isEmpty]).toEqual([0, true, true]);
    driver.negotiate([CommonFeature.RING_RESET]);
    driver.queue(0);
    driver.ready();
    expect([lettersOf(side.readStatus()), device.live]).toEqual(["ADFO", true]);
  });

  it("the table has every event", () => {
    expect(new Set(cells.map((cell) => cell.event))).toEqual(new Set(Object.keys(events)));
  });

  it("a driver that is told of DEVICE_NEEDS_RESET recovers, with the same features and queues", async () => {
    const device = new Device({
      features: ["COUNT", "RING_RESET"],
      config: { level: 1, maxData: 2 },
      requestq: (request) => ("reply" in request ? void request.complete("OK") : undefined),
      onProtocolError: () => undefined,
    });
    const transport = await (name === "PCI" ? pciMachine(device, { messages: true }) : mmioMachine(device)).open();
    let onError = (_error: unknown): void => {};
    const told = new Promise<unknown>((resolve) => (onError = resolve));
    const driver = await EchoDriver.start(transport, { features: ["COUNT"], onError: (error) => onError(error) });
    const echo = () => driver.requestq.submit({ operation: "ECHO", cookie: 1n, data: new Uint8Array(4), reply: 4 });
    expect((await echo()).status).toBe("OK");
    device.breakDown();
    expect(await told).toMatchObject({ rule: "device-needs-reset" });
    await driver.recover();
    expect(lettersOf(device.status)).toBe("ADFO");
    expect((await echo()).status).toBe("OK");
    await driver.stop();
  });
});
