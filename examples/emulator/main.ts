/** A machine with entropy on virtio-mmio and a disk on virtio-pci, and a guest that uses both: `npm run example emulator`. */
import { getRandomValues } from "node:crypto";
import { BlkDriver } from "virtio-gen/devices/blk";
import { EntropyDevice, EntropyDriver } from "virtio-gen/devices/entropy";
import { GuestMemory, MemoryAllocator } from "virtio-gen/runtime";
import { MmioDriverTransport, MmioTransport, RegisterWindow } from "virtio-gen/runtime/mmio";
import { PciDriverTransport, pciPlace, PciTransport, type AddressSpace } from "virtio-gen/runtime/pci";
import { createRamDisk } from "../ram-disk/disk.js";

// The machine: memory, interrupt lines that reach the processor later, and two devices.
const memory = GuestMemory.flat(16 << 20, 0x4000_0000);
const handlers = new Map<number, () => void>();
const line = (irq: number) => (isAsserted: boolean) => {
  if (isAsserted) setTimeout(() => handlers.get(irq)?.(), 0);
};
const entropy = new EntropyDevice({
  requestq(request) {
    request.data.write(getRandomValues(new Uint8Array(request.data.length)));
    return request.complete();
  },
});
const mmio = new MmioTransport(entropy, { memory, interrupt: line(1) });
const pci = new PciTransport(createRamDisk(new Uint8Array(1 << 20)), { memory, interrupt: line(2) });

// Its address decoder: where a load or store of the guest ends up.
const [MMIO, ECAM, PLACE] = [0x1000_0000, 0x3000_0000, pciPlace(0, 1)];
const find = (address: number) =>
  [
    { start: MMIO, length: mmio.length, registers: mmio },
    { start: ECAM + PLACE * 4096, length: 4096, registers: pci.config },
    ...pci.bars.map(({ index, ...bar }) => ({ start: pci.barAddress(index) ?? Infinity, ...bar })),
  ].find(({ start, length }) => address >= start && address < start + length);
const space = (base: number): AddressSpace => ({
  read(address, width) {
    const hit = find(base + address);
    return hit?.registers.read(base + address - hit.start, width) ?? 2 ** (8 * width) - 1;
  },
  write(address, width, value) {
    const hit = find(base + address);
    hit?.registers.write(base + address - hit.start, width, value);
  },
});

// The guest: two drivers that know addresses, memory and interrupts.
const guest = { memory, allocator: new MemoryAllocator(memory, 0x4000_0000, 16 << 20) };
const on = (irq: number) => (handler: () => void) => {
  handlers.set(irq, handler);
  return () => handlers.delete(irq);
};
const window = new RegisterWindow(space(MMIO), 0, mmio.length);
const rng = await MmioDriverTransport.open(window, { ...guest, onInterrupt: on(1) });
if (rng === undefined) throw new Error("there is no device");
const driver = await EntropyDriver.start(rng);
console.log(`entropy over MMIO: ${String((await driver.requestq.submit({ data: 32 })).data.length)} bytes`);
const host = { config: space(ECAM), memory: space(0), interrupts: () => ({ onLine: on(2) }) };
const room = { nextMemory: 0xe000_0000, nextPort: 0xc000 };
const disk = await BlkDriver.start(await PciDriverTransport.open(host, PLACE, { ...guest, room }));
const { status } = await disk.requestq.submit({ type: "OUT", sector: 3n, data: new Uint8Array(512).fill(7) });
console.log(`disk over PCI: write ${status}, ${disk.config.capacity.toString()} sectors`);
