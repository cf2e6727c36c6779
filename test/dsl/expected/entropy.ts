import type { ExpectedDevice } from "./layout.js";

/** Facts of chapter 5.4 of VIRTIO 1.4: it has nothing but a queue. */
export const expected: ExpectedDevice = {
  id: 4,
  features: {},
  legacyFeatures: {},
  requires: {},
  structs: {},
  constants: {},
  newer: {},
};
