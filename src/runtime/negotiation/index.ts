export { CommonFeature, SUPPORTED_COMMON_FEATURES, type CommonFeatureName } from "./common-feature.js";
export type { ConfigPart } from "./config-parts.js";
export { DeviceStatus, statusNames } from "./device-status.js";
export { HandlerError, ProtocolError, type ProtocolRule } from "./errors.js";
export { featureName, type FeatureRequirement, type FeatureRule, type FeatureRules } from "./feature-rules.js";
export { FEATURE_BITS, FeatureSet } from "./feature-set.js";
export type { QueueNumbering } from "./queue-numbering.js";
