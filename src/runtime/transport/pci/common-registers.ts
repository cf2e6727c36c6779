import type { VirtioDevice } from "../../device/index.js";
import { FieldRegisters, type Field, type GuestAccessWidth } from "../registers/register-file.js";
import { featureWord } from "../registers/feature-word.js";
import type { ConfigWindow } from "../registers/config-window.js";
import type { QueueRegisters, StagedQueue } from "../registers/queue-registers.js";
import { COMMON_CONFIG_LENGTH, CommonConfig, NO_VECTOR } from "./pci-layout.js";

/** What the common configuration needs of the function that it belongs to. */
export interface CommonRegistersOwner {
  readonly device: VirtioDevice;
  readonly queues: QueueRegisters;
  readonly config: ConfigWindow;
  /** Number of MSI-X vectors; 0: there is no MSI-X. */
  readonly vectors: number;
  configVector: number;
  /** A write to the status. The function resets itself with the device. */
  writeStatus(status: number): void;
  refuse(text: string): void;
}

/** The common configuration structure of a device (VIRTIO 1.4, 4.1.4.3). */
export class CommonRegisters {
  readonly fields: FieldRegisters;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;

  constructor(owner: CommonRegistersOwner) {
    const refuse = (text: string): void => owner.refuse(`common configuration: ${text}`);
    this.fields = new FieldRegisters(
      COMMON_CONFIG_LENGTH,
      [...this.#deviceFields(owner), ...queueFields(owner, refuse)],
      refuse,
    );
  }

  reset(): void {
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
  }

  save(): { readonly deviceFeatureSelect: number; readonly driverFeatureSelect: number } {
    return { deviceFeatureSelect: this.#deviceFeatureSelect, driverFeatureSelect: this.#driverFeatureSelect };
  }
  restore(saved: ReturnType<CommonRegisters["save"]>): void {
    this.#deviceFeatureSelect = saved.deviceFeatureSelect;
    this.#driverFeatureSelect = saved.driverFeatureSelect;
  }

  #deviceFields(owner: CommonRegistersOwner): Field[] {
    const { device } = owner;
    return [
      field(
        CommonConfig.deviceFeatureSelect,
        4,
        () => this.#deviceFeatureSelect,
        (value) => (this.#deviceFeatureSelect = value),
      ),
      field(CommonConfig.deviceFeature, 4, () => featureWord(device.offered, this.#deviceFeatureSelect)),
      field(
        CommonConfig.driverFeatureSelect,
        4,
        () => this.#driverFeatureSelect,
        (value) => (this.#driverFeatureSelect = value),
      ),
      field(
        CommonConfig.driverFeature,
        4,
        () => featureWord(device.driverFeatures, this.#driverFeatureSelect),
        (value) => void device.setDriverFeaturesWord(this.#driverFeatureSelect, value),
      ),
      field(
        CommonConfig.configMsixVector,
        2,
        () => owner.configVector,
        (value) => (owner.configVector = value < owner.vectors ? value : NO_VECTOR),
      ),
      field(CommonConfig.numQueues, 2, () => queueCount(device)),
      field(
        CommonConfig.deviceStatus,
        1,
        () => device.status,
        (value) => owner.writeStatus(value),
      ),
      field(CommonConfig.configGeneration, 1, () => owner.config.generation & 0xff),
    ];
  }
}

/** One more than the highest index of a queue. */
function queueCount(device: VirtioDevice): number {
  return Math.min(0xffff, (device.queues().at(-1)?.index ?? -1) + 1);
}

function queueFields(owner: CommonRegistersOwner, refuse: (text: string) => void): Field[] {
  const { queues } = owner;
  const half = (offset: number, name: Exclude<keyof StagedQueue, "size" | "vector">): Field =>
    field(
      offset,
      4,
      () => queues.value(name),
      (value) => queues.stage(name, value),
    );
  return [
    field(
      CommonConfig.queueSelect,
      2,
      () => queues.selected,
      (value) => (queues.selected = value),
    ),
    field(
      CommonConfig.queueSize,
      2,
      () => queues.value("size"),
      (value) => queues.stage("size", value),
    ),
    field(
      CommonConfig.queueMsixVector,
      2,
      () => queues.vector(queues.selected),
      (value) => queues.setVector(value < owner.vectors ? value : NO_VECTOR),
    ),
    field(
      CommonConfig.queueEnable,
      2,
      () => queues.enabled,
      (value) => {
        if (value === 1) queues.enable();
        else refuse(`queue_enable is set to 1, never to ${String(value)}`);
      },
    ),
    field(CommonConfig.queueNotifyOff, 2, () => queues.queue?.index ?? 0),
    half(CommonConfig.queueDesc, "descriptorLow"),
    half(CommonConfig.queueDesc + 4, "descriptorHigh"),
    half(CommonConfig.queueDriver, "driverLow"),
    half(CommonConfig.queueDriver + 4, "driverHigh"),
    half(CommonConfig.queueDevice, "deviceLow"),
    half(CommonConfig.queueDevice + 4, "deviceHigh"),
    field(CommonConfig.queueNotifConfigData, 2, () => queues.queue?.index ?? 0),
    field(
      CommonConfig.queueReset,
      2,
      () => queues.resetting,
      (value) => queues.writeReset(value),
    ),
    // Administration virtqueues are not offered (ADMIN_VQ), so there are none.
    field(CommonConfig.adminQueueIndex, 2, () => 0),
    field(CommonConfig.adminQueueNum, 2, () => 0),
  ];
}

function field(offset: number, width: GuestAccessWidth, read: () => number, write?: (value: number) => void): Field {
  return { offset, width, read, ...(write === undefined ? {} : { write }) };
}
