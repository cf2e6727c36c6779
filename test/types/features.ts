// A feature is named by the definition of its device, or by the ring.
import { BlkDevice, BlkDriver, BlkFeature } from "virtio-gen/devices/blk";
import { ConsoleDriver } from "virtio-gen/devices/console";
import { EntropyDevice, EntropyDriver } from "virtio-gen/devices/entropy";
import { NetDevice, NetDriver } from "virtio-gen/devices/net";
import type { DriverTransport } from "virtio-gen/runtime";
import { type Same, holds } from "./same.js";

const config = { capacity: 8n };
const requestq = () => {};

export function known(transport: DriverTransport) {
  new BlkDevice({ features: ["FLUSH", "MQ"], config, requestq });
  new BlkDevice({ features: [], config, requestq });
  new BlkDevice({ config, requestq });
  new EntropyDevice({ features: ["VERSION_1"], requestq });
  void BlkDriver.start(transport, { features: ["FLUSH", "VERSION_1"] });
  void NetDriver.start(transport, { features: ["CTRL_VQ", "MRG_RXBUF"] });
  holds<Same<(typeof BlkFeature)["FLUSH"], 9>>();
}

export function misspelt(transport: DriverTransport) {
  // @ts-expect-error TS2820: Did you mean '"FLUSH"'?
  new BlkDevice({ features: ["FLUSHH"], config, requestq });
  // @ts-expect-error TS2820: Did you mean '"FLUSH"'?
  new BlkDevice({ features: ["flush"], config, requestq });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type
  new BlkDevice({ features: [9], config, requestq });
  // @ts-expect-error TS2820: Did you mean '"FLUSH"'?
  void BlkDriver.start(transport, { features: ["FLUSH", "FLUSHH"] });
  // @ts-expect-error TS2551: Property 'FLUSHH' does not exist on type
  return BlkFeature.FLUSHH;
}

export function ofAnotherDevice(transport: DriverTransport) {
  // @ts-expect-error TS2322: Type '"CTRL_VQ"' is not assignable to type
  new BlkDevice({ features: ["CTRL_VQ"], config, requestq });
  // @ts-expect-error TS2322: Type '"MULTIPORT"' is not assignable to type
  void NetDriver.start(transport, { features: ["MULTIPORT"] });
  // @ts-expect-error TS2322: Type '"FLUSH"' is not assignable to type
  void ConsoleDriver.start(transport, { features: ["FLUSH"] });
  // @ts-expect-error TS2322: Type '"FLUSH"' is not assignable to type '"NOTIFY_ON_EMPTY" |
  new EntropyDevice({ features: ["FLUSH"], requestq });
  // @ts-expect-error TS2322: Type '"FLUSH"' is not assignable to type '"NOTIFY_ON_EMPTY" |
  void EntropyDriver.start(transport, { features: ["FLUSH"] });
}

/** Legacy features cannot be negotiated together with VERSION_1, so that they are not even named. */
export function legacy(transport: DriverTransport) {
  // @ts-expect-error TS2322: Type '"BARRIER"' is not assignable to type
  new BlkDevice({ features: ["BARRIER"], config, requestq });
  // @ts-expect-error TS2322: Type '"SCSI"' is not assignable to type
  void BlkDriver.start(transport, { features: ["SCSI"] });
  // @ts-expect-error TS2322: Type '"GSO"' is not assignable to type
  new NetDevice({ features: ["GSO"], transmitq: requestq });
  // @ts-expect-error TS2322: Type '"GSO"' is not assignable to type
  void NetDriver.start(transport, { features: ["GSO"] });
}
