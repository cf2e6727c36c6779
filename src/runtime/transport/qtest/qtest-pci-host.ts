import type { MemoryAllocator } from "../../memory/index.js";
import type { AddressSpace } from "../bus/address-space.js";
import type { BarRoom } from "../pci/base-addresses.js";
import type { PciHost, PciInterrupts } from "../pci/pci-host.js";
import { pciPlace } from "../pci/pci-host.js";
import { MessagePoller } from "./message-poller.js";
import type { QtestClient } from "./qtest-client.js";

/** Ports of PCI's first configuration mechanism. */
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
/** Where the board `pc` has its interrupt router, and its first route register. */
const ROUTER = pciPlace(0, 1);
const FIRST_ROUTE = 0x60;
/** Interrupt lines that the four PCI interrupts are routed to. */
const LINES = [5, 9, 10, 11] as const;
const IOAPIC = "ioapic";

export interface QtestPciHostOptions {
  /** Where the words of message-signalled interrupts are put; without it functions use interrupt lines. */
  readonly messages?: MemoryAllocator;
  /** Awaited before each write to a BAR in memory. */
  readonly beforeWrite?: () => Promise<void>;
}

/** The PCI bus of QEMU's board `pc`, through qtest. */
export class QtestPciHost implements PciHost {
  readonly config: AddressSpace;
  readonly memory: AddressSpace;
  readonly ports: AddressSpace;
  /** For BARs: nothing has placed them, because there is no firmware. */
  readonly room: BarRoom = { nextMemory: 0xe000_0000, nextPort: 0xc000 };
  readonly #qtest: QtestClient;
  readonly #poller: MessagePoller | undefined;

  private constructor(qtest: QtestClient, options: QtestPciHostOptions) {
    this.#qtest = qtest;
    this.#poller = options.messages === undefined ? undefined : new MessagePoller(options.messages);
    this.config = configSpace(qtest);
    this.memory = {
      read: (address, width) => qtest.readMemory(address, width),
      async write(address, width, value) {
        await options.beforeWrite?.();
        await qtest.writeMemory(address, width, value);
      },
    };
    this.ports = {
      read: (port, width) => qtest.readPort(port, width),
      write: (port, width, value) => qtest.writePort(port, width, value),
    };
  }

  /** Routes the interrupt lines and has QEMU report them. */
  static async open(qtest: QtestClient, options: QtestPciHostOptions = {}): Promise<QtestPciHost> {
    const host = new QtestPciHost(qtest, options);
    for (const [pin, line] of LINES.entries()) {
      await host.config.write(ROUTER * 4096 + FIRST_ROUTE + pin, 1, line);
    }
    await qtest.interceptInterrupts(IOAPIC);
    return host;
  }

  async interrupts(place: number): Promise<PciInterrupts> {
    const pin = await this.config.read(place * 4096 + 0x3d, 1);
    // Each slot's pins are turned by one, as the board is wired.
    const line = LINES[(pin - 1 + (place >>> 3) - 1) & 3];
    const poller = this.#poller;
    return {
      onLine: (listener) =>
        this.#qtest.onInterrupt((number, isRaised) => {
          if (isRaised && number === line) listener();
        }),
      ...(poller === undefined
        ? {}
        : { messages: (count: number, listener: (index: number) => void) => poller.messages(count, listener) }),
    };
  }

  /** Ends the polling for messages. */
  close(): void {
    this.#poller?.close();
  }
}

function configSpace(qtest: QtestClient): AddressSpace {
  // The address and the access behind it are sent in one go, so that nothing comes between them.
  const select = (address: number): void => {
    const place = Math.floor(address / 4096);
    qtest.writePort(CONFIG_ADDRESS, 4, 0x8000_0000 + place * 256 + (address & 0xfc)).catch(() => undefined);
  };
  return {
    read(address, width) {
      select(address);
      return qtest.readPort(CONFIG_DATA + (address & 3), width);
    },
    write(address, width, value) {
      select(address);
      return qtest.writePort(CONFIG_DATA + (address & 3), width, value);
    },
  };
}
