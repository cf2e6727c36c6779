export { QemuError } from "./qemu-error.js";
export { QemuMicrovm, QemuPc, type QemuMicrovmOptions, type QemuPcOptions } from "./qemu-machine.js";
export { QemuProcess, type QemuOptions } from "./qemu-process.js";
export { QmpClient, type QmpEvent } from "./qmp-client.js";
export { QtestClient } from "./qtest-client.js";
export { QtestPciHost } from "./qtest-pci-host.js";
