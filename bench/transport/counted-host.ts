import type { AddressSpace } from "../../src/runtime/transport/bus/index.js";
import type { PciHost } from "../../src/runtime/transport/pci/index.js";

/** A host whose accesses are counted. */
export function countedHost(host: PciHost): { readonly host: PciHost; count(): number } {
  let accesses = 0;
  const counted = (space: AddressSpace): AddressSpace => ({
    read(address, width) {
      accesses++;
      return space.read(address, width);
    },
    write(address, width, value) {
      accesses++;
      return space.write(address, width, value);
    },
  });
  return {
    host: { ...host, config: counted(host.config), memory: counted(host.memory) },
    count: () => accesses,
  };
}
