/** What generated code links against, and what authors of devices and drivers use beside it. */
export * from "./codec/index.js";
export * from "./device/index.js";
export * from "./driver/index.js";
export * from "./memory/index.js";
export * from "./negotiation/index.js";
export * from "./ring/index.js";
export * from "./transport/index.js";
