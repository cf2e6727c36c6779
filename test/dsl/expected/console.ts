import type { ExpectedDevice } from "./layout.js";

/** Facts of chapter 5.3 of VIRTIO 1.4: names, numbers, offsets and sizes in bytes. */
export const expected: ExpectedDevice = {
  id: 3,
  features: {
    VIRTIO_CONSOLE_F_SIZE: 0,
    VIRTIO_CONSOLE_F_MULTIPORT: 1,
    VIRTIO_CONSOLE_F_EMERG_WRITE: 2,
  },
  legacyFeatures: {},
  requires: {},
  structs: {
    virtio_console_config: {
      since: "1.0",
      spec: "5.3.4",
      size: 12,
      fields: {
        cols: [0, 2],
        rows: [2, 2],
        max_nr_ports: [4, 4],
        emerg_wr: [8, 4],
      },
    },
    virtio_console_control: {
      since: "1.0",
      spec: "5.3.6.2",
      size: 8,
      fields: {
        id: [0, 4],
        event: [4, 2],
        value: [6, 2],
      },
    },
    virtio_console_resize: {
      since: "1.0",
      spec: "5.3.6.2",
      size: 4,
      fields: {
        cols: [0, 2],
        rows: [2, 2],
      },
    },
  },
  constants: {
    VIRTIO_CONSOLE_DEVICE_READY: 0,
    VIRTIO_CONSOLE_DEVICE_ADD: 1,
    VIRTIO_CONSOLE_DEVICE_REMOVE: 2,
    VIRTIO_CONSOLE_PORT_READY: 3,
    VIRTIO_CONSOLE_CONSOLE_PORT: 4,
    VIRTIO_CONSOLE_RESIZE: 5,
    VIRTIO_CONSOLE_PORT_OPEN: 6,
    VIRTIO_CONSOLE_PORT_NAME: 7,
  },
  newer: {},
};
