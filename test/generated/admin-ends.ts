import { virtioAdminCommandQueue, virtioAdminCommandServer, type VirtioAdminCommand } from "../../generated/core.js";
import {
  VirtioDevice,
  VirtioDriver,
  type DeviceDefinition,
  type DriverDefinition,
  type DriverTransport,
  type HandlerResult,
  type QueueHandler,
  type VirtioDeviceOptions,
  type VirtioDriverOptions,
} from "../../src/runtime/index.js";

/** A device that has an administration queue and nothing else, and its driver: as somebody would write them. */

const DEFINITION: DeviceDefinition & DriverDefinition = {
  name: "admin",
  id: 63,
  features: {},
  requires: [],
  offers: [],
  configSize: 0,
  configAccesses: [],
  writableConfig: [],
};

export interface AdminDeviceOptions extends VirtioDeviceOptions<"adminq"> {
  readonly adminq: (request: VirtioAdminCommand) => HandlerResult;
  readonly onProtocolError?: (error: Error) => void;
}

export class AdminDevice extends VirtioDevice {
  readonly #adminq: QueueHandler;

  constructor(options: AdminDeviceOptions) {
    super(DEFINITION, [], new Uint8Array(0), options);
    this.onProtocolError = options.onProtocolError;
    this.#adminq = virtioAdminCommandServer({
      handle: (request) => options.adminq(request),
      report: (error) => this.report(error),
    });
  }

  protected override queuePlan() {
    return [{ name: "adminq", index: 0, position: 0, handler: this.#adminq }];
  }
}

export class AdminDriver extends VirtioDriver<undefined, "adminq"> {
  readonly adminq = virtioAdminCommandQueue();

  static async start(transport: DriverTransport, options: VirtioDriverOptions = {}): Promise<AdminDriver> {
    const driver = new AdminDriver(DEFINITION, transport, options);
    await driver.initialize([]);
    return driver;
  }

  protected override decodeConfig(): undefined {
    return undefined;
  }

  protected override queuePlan() {
    return [{ name: "adminq", index: 0, position: 0, handler: this.adminq }];
  }
}
