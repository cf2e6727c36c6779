import { describe } from "vitest";
import type { Completion, DriverTransport, VirtioDevice } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import type { EchoRequest } from "../fixtures/echo-device.js";
import { directSide, type MakeRawSide } from "../fixtures/raw-side.js";
import { MmioSide, PciSide } from "../fixtures/register-sides.js";
import { mmioMachine, pciMachine } from "../transport/machines.js";
import { openVhostUser } from "../transport/vhost-user/both-ends.js";
import { requireVhostUser } from "../transport/vhost-user/served-device.js";
import { combinations, type Combination } from "./combinations.js";

/** How a whole driver is connected with the device. */
export interface Connection {
  readonly name: string;
  /** Milliseconds, at least: long enough for a notification and for the interrupt that answers it. */
  readonly turn?: number;
  /** `isHolding`: requests hold on to memory for a while. */
  open(device: VirtioDevice, isHolding: boolean): DriverTransport | Promise<DriverTransport>;
}
/** A driver that works registers and rings by hand can be connected, too. */
export interface RawConnection extends Connection {
  readonly side: MakeRawSide;
}
/** A stop waits for requests; longer than the driver, if they hold on to memory. */
const overVhostUser: Connection["open"] = (device, isHolding) =>
  openVhostUser(device, { serve: { stopTimeout: isHolding ? 250 : 30 } });
export const rawConnections: readonly RawConnection[] = [
  { name: "no registers", side: directSide, open: (device) => loopback(device, { memorySize: 1 << 20 }) },
  {
    name: "PCI",
    side: (device, told) => new PciSide(device, told, { messages: true }),
    open: (device) => pciMachine(device, { messages: true }).open(),
  },
  {
    name: "MMIO",
    side: (device, told) => new MmioSide(device, told),
    open: (device) => mmioMachine(device).open(),
  },
];
export const connections: readonly Connection[] = [
  ...rawConnections,
  // There are no registers; the device alone: test/runtime/transport/vhost-user/ring-reset.test.ts
  ...((await requireVhostUser()) ? [{ name: "vhost-user", turn: 5, open: overVhostUser }] : []),
];

/** One place of the table: a connection and a layout of the ring. */
export interface Place<Over extends Connection> {
  readonly connection: Over;
  readonly combination: Combination;
  /** Waits until everything has happened that is under way. */
  readonly turn: () => Promise<void>;
}

/** The same tests over each of the connections and in each layout of the ring. */
export function everywhere<Over extends Connection>(
  what: string,
  over: readonly Over[],
  define: (place: Place<Over>) => void,
): void {
  for (const connection of over) {
    const turn = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, connection.turn ?? 0));
    };
    for (const combination of combinations) {
      // What the rings cannot do yet stands in the report as skipped, with the reason in its name.
      const run = combination.supported ? describe : describe.skip;
      const why = combination.supported ? "" : " (SKIPPED: the runtime has no such ring yet)";
      run(`reset of a queue over ${connection.name}, ${combination.name}${why}: ${what}`, () =>
        define({ connection, combination, turn }),
      );
    }
  }
}

/** Says that all is well. */
export function answer(request: EchoRequest): Completion {
  if (request.operation === "COUNT") return request.complete({ ones: 0, bytes: 0, status: "OK" });
  return "reply" in request ? request.complete("OK") : "stale";
}

export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}
export function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
