import {
  GuestMemory,
  MemoryAllocator,
  type DriverTransport,
  type ProtocolError,
  type VirtioDevice,
} from "../../../src/runtime/index.js";
import { RegisterWindow, type AddressSpace } from "../../../src/runtime/transport/bus/index.js";
import {
  MmioDriverTransport,
  MmioTransport,
  type MmioTransportOptions,
} from "../../../src/runtime/transport/mmio/index.js";
import {
  PciDriverTransport,
  pciPlace,
  PciTransport,
  type PciHost,
  type PciTransportOptions,
} from "../../../src/runtime/transport/pci/index.js";

const PLACE = pciPlace(0, 4);
const MEMORY_START = 0x10_0000;

/** A machine in this process with one device, seen from the device's side and from the driver's. */
export interface Machine<Side, Driver extends DriverTransport> {
  readonly memory: GuestMemory;
  readonly side: Side;
  /** Errors that the device's transport reported. */
  readonly errors: ProtocolError[];
  /** Levels of the interrupt line, as it changed. */
  readonly line: boolean[];
  open(): Promise<Driver>;
  /** Puts another device behind new registers in the place of the old ones, as a machine that was saved and restored. */
  replace(device: VirtioDevice): Side;
}

export interface PciMachine extends Omit<Machine<PciTransport, PciDriverTransport>, "open"> {
  /** The driver's side; over another view of the host, if one is given. */
  open(through?: PciHost): Promise<PciDriverTransport>;
  readonly host: PciHost;
  readonly place: number;
  /** Messages that were sent. */
  readonly messages: { readonly address: number; readonly data: number }[];
}

/** A PC-like machine: one function, placed by the driver; interrupts reach it in a later turn, as a processor would. */
export function pciMachine(
  device: VirtioDevice,
  options: Partial<PciTransportOptions> & { readonly messages?: boolean } = {},
): PciMachine {
  const memory = GuestMemory.flat(8 * 1024 * 1024, MEMORY_START);
  const errors: ProtocolError[] = [];
  const line: boolean[] = [];
  const messages: { address: number; data: number }[] = [];
  let onLine = (): void => {};
  let onMessage = (_index: number): void => {};
  const { messages: hasMessages = false, ...rest } = options;
  const sideOptions: PciTransportOptions = {
    memory,
    interrupt(isAsserted) {
      line.push(isAsserted);
      if (isAsserted) setImmediate(() => onLine());
    },
    ...(hasMessages
      ? {
          message(address: number, data: number) {
            messages.push({ address, data });
            setImmediate(() => onMessage(data));
          },
        }
      : {}),
    onError: (error) => errors.push(error),
    ...rest,
  };
  let side = new PciTransport(device, sideOptions);
  const decode = (kind: "memory" | "io"): AddressSpace => {
    const find = (address: number) => {
      for (const bar of side.bars) {
        const start = side.barAddress(bar.index);
        const isKind = (bar.kind === "io") === (kind === "io");
        if (isKind && start !== undefined && address >= start && address < start + bar.length) {
          return { registers: bar.registers, offset: address - start };
        }
      }
      return undefined;
    };
    return {
      read(address, width) {
        const found = find(address);
        return found?.registers.read(found.offset, width) ?? 2 ** (8 * width) - 1;
      },
      write(address, width, value) {
        const found = find(address);
        found?.registers.write(found.offset, width, value);
      },
    };
  };
  const host: PciHost = {
    config: {
      read: (address, width) =>
        address >>> 12 === PLACE ? side.config.read(address & 0xfff, width) : 2 ** (8 * width) - 1,
      write(address, width, value) {
        if (address >>> 12 === PLACE) side.config.write(address & 0xfff, width, value);
      },
    },
    memory: decode("memory"),
    ports: decode("io"),
    interrupts: () => ({
      onLine(listener) {
        onLine = listener;
        return () => (onLine = () => {});
      },
      ...(hasMessages
        ? {
            messages(count: number, listener: (index: number) => void) {
              onMessage = listener;
              return Array.from({ length: count }, (_, data) => ({ address: 0xfee0_0000, data }));
            },
          }
        : {}),
    }),
  };
  const allocator = new MemoryAllocator(memory, MEMORY_START, 8 * 1024 * 1024);
  const room = { nextMemory: 0xe000_0000, nextPort: 0xc000 };
  const open = (through = host) => PciDriverTransport.open(through, PLACE, { memory, allocator, room });
  const replace = (other: VirtioDevice) => (side = new PciTransport(other, sideOptions));
  return { memory, side, errors, line, messages, host, place: PLACE, open, replace };
}

/** A machine with one device behind MMIO registers. */
export function mmioMachine(
  device: VirtioDevice,
  options: Partial<MmioTransportOptions> = {},
): Machine<MmioTransport, MmioDriverTransport> {
  const memory = GuestMemory.flat(8 * 1024 * 1024, MEMORY_START);
  const errors: ProtocolError[] = [];
  const line: boolean[] = [];
  let onLine = (): void => {};
  const sideOptions: MmioTransportOptions = {
    memory,
    interrupt(isAsserted) {
      line.push(isAsserted);
      if (isAsserted) setImmediate(() => onLine());
    },
    onError: (error) => errors.push(error),
    ...options,
  };
  let side = new MmioTransport(device, sideOptions);
  const window: AddressSpace = {
    read: (address, width) => side.read(address, width),
    write: (address, width, value) => side.write(address, width, value),
  };
  const allocator = new MemoryAllocator(memory, MEMORY_START, 8 * 1024 * 1024);
  const open = async () => {
    const transport = await MmioDriverTransport.open(new RegisterWindow(window, 0, side.length), {
      memory,
      allocator,
      onInterrupt(listener) {
        onLine = listener;
        return () => (onLine = () => {});
      },
    });
    if (transport === undefined) throw new Error("there is no device");
    return transport;
  };
  const replace = (other: VirtioDevice) => (side = new MmioTransport(other, sideOptions));
  return { memory, side, errors, line, open, replace };
}
