// Configuration: who may write which field, what has to be there, and what is there only with a feature.
import { BlkDevice, type BlkDeviceConfig, type BlkDriver } from "virtio-gen/devices/blk";
import { ConsoleDevice, type ConsoleDeviceConfig, type ConsoleDriver } from "virtio-gen/devices/console";
import { EntropyDevice, type EntropyDriver } from "virtio-gen/devices/entropy";
import { type NetDeviceConfig, type NetDriver } from "virtio-gen/devices/net";
import { type Same, holds } from "./same.js";

const requestq = () => {};
const transmitq = () => {};

export function initial() {
  new BlkDevice({ config: { capacity: 8n, segMax: 126, geometry: { cylinders: 1, heads: 1, sectors: 8 } }, requestq });
  new ConsoleDevice({ transmitq });
  new EntropyDevice({ requestq });
  // @ts-expect-error TS2741: Property 'capacity' is missing in type
  new BlkDevice({ config: { segMax: 126 }, requestq });
  // @ts-expect-error TS2345: Property 'config' is missing in type
  new BlkDevice({ requestq });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'bigint'
  new BlkDevice({ config: { capacity: 8 }, requestq });
  // @ts-expect-error TS2561: 'seg_max' does not exist in type 'BlkConfigInit'
  new BlkDevice({ config: { capacity: 8n, seg_max: 126 }, requestq });
  // @ts-expect-error TS2739: missing the following properties from type 'BlkGeometry': heads, sectors
  new BlkDevice({ config: { capacity: 8n, geometry: { cylinders: 1 } }, requestq });
  // Written by the driver only.
  // @ts-expect-error TS2353: 'emergWr' does not exist in type 'ConsoleConfigInit'
  new ConsoleDevice({ config: { emergWr: 0 }, transmitq });
  // @ts-expect-error TS2353: 'config' does not exist in type 'EntropyDeviceOptions'
  new EntropyDevice({ config: {}, requestq });
}

export function writtenByTheDevice(blk: BlkDeviceConfig, net: NetDeviceConfig, terminal: ConsoleDeviceConfig) {
  blk.capacity = 16n;
  blk.update({ capacity: 16n, writeback: 1 });
  net.status = 1;
  terminal.cols = 80;
  // @ts-expect-error TS2540: Cannot assign to 'segMax' because it is a read-only property
  blk.segMax = 4;
  // @ts-expect-error TS2540: Cannot assign to 'numQueues' because it is a read-only property
  blk.numQueues = 2;
  // @ts-expect-error TS2353: 'segMax' does not exist in type
  blk.update({ segMax: 4 });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'bigint'
  blk.capacity = 16;
  // @ts-expect-error TS2540: Cannot assign to 'mtu' because it is a read-only property
  net.mtu = 1500;
  // @ts-expect-error TS2540: Cannot assign to 'emergWr' because it is a read-only property
  terminal.emergWr = 0;
}

export async function writtenByTheDriver(
  blk: BlkDriver,
  terminal: ConsoleDriver,
  net: NetDriver,
  random: EntropyDriver,
) {
  await blk.writeConfig({ writeback: 1 });
  await terminal.writeConfig({ emergWr: 0x21 });
  // @ts-expect-error TS2353: 'capacity' does not exist in type
  await blk.writeConfig({ capacity: 16n });
  // @ts-expect-error TS2353: 'segMax' does not exist in type
  await blk.writeConfig({ writeback: 1, segMax: 1 });
  // @ts-expect-error TS2322: Type 'boolean' is not assignable to type 'number'
  await blk.writeConfig({ writeback: true });
  // @ts-expect-error TS2353: 'cols' does not exist in type
  await terminal.writeConfig({ cols: 80 });
  // The driver may write nothing at all here.
  // @ts-expect-error TS2339: Property 'writeConfig' does not exist on type 'NetDriver'
  await net.writeConfig({ status: 1 });
  // @ts-expect-error TS2339: Property 'writeConfig' does not exist on type 'EntropyDriver'
  await random.writeConfig({});
  // @ts-expect-error TS2540: Cannot assign to 'capacity' because it is a read-only property
  blk.config.capacity = 16n;
  // @ts-expect-error TS2540: Cannot assign to 'writeback' because it is a read-only property
  blk.config.writeback = 1;
}

export function readByTheDriver(blk: BlkDriver, net: NetDriver, random: EntropyDriver) {
  holds<Same<typeof blk.config.capacity, bigint>>();
  holds<Same<typeof blk.config.segMax, number | undefined>>();
  holds<Same<typeof random.config, undefined>>();
  const known: number = blk.config.segMax ?? 1;
  if (blk.config.geometry !== undefined) return known + blk.config.geometry.heads;
  // @ts-expect-error TS2322: Type 'undefined' is not assignable to type 'number'
  const unchecked: number = blk.config.segMax;
  // @ts-expect-error TS18048: 'blk.config.topology' is possibly 'undefined'
  const nested = blk.config.topology.minIoSize;
  // @ts-expect-error TS18048: 'net.config.mtu' is possibly 'undefined'
  return unchecked + nested + (net.config.mtu - 20);
}

export function listenedTo() {
  new BlkDevice({ config: { capacity: 8n }, requestq, configWritten: { writeback: (value) => value + 1 } });
  // @ts-expect-error TS2353: 'capacity' does not exist in type
  new BlkDevice({ config: { capacity: 8n }, requestq, configWritten: { capacity: () => {} } });
}
