/** Which rule of the specification a peer broke, or why something could not be done. Slugs are stable. */
export type ProtocolRule =
  // features and status
  | "feature-not-offered"
  | "feature-requirement"
  | "feature-mandatory"
  | "feature-rule"
  | "version-1-required"
  | "features-frozen"
  | "features-refused"
  | "status-bit-cleared"
  | "status-order"
  | "status-bit-reserved"
  | "status-after-failed"
  | "reset-incomplete"
  | "device-needs-reset"
  | "device-resetting"
  | "suspended"
  | "suspend-incomplete"
  // config
  | "config-read-only"
  | "config-phase"
  | "config-out-of-range"
  | "config-unstable"
  // queues
  | "queue-unknown"
  | "queue-size"
  | "queue-address"
  | "queue-phase"
  | "queue-not-configured"
  | "queue-already-enabled"
  | "queue-reset-refused"
  | "queue-reset"
  | "queue-reset-incomplete"
  | "queue-resetting"
  | "queue-enable-refused"
  | "notify-before-driver-ok"
  | "notify-disabled-queue"
  | "no-memory-access"
  // messages
  | "message-malformed"
  | "message-too-long"
  | "buffer-direction"
  | "buffer-count"
  // transports
  | "transport-layout"
  | "transport-vector"
  | "transport-access"
  // ends
  | "stopped"
  | "device-id";

/** The peer broke a rule, or the two sides do not fit together. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly rule: ProtocolRule;
  /** Section of the specification. */
  readonly clause: string;

  constructor(rule: ProtocolRule, clause: string, message: string, options?: ErrorOptions) {
    super(`${rule}: ${message} [${clause}]`, options);
    this.rule = rule;
    this.clause = clause;
  }
}

/** A handler threw or rejected; `cause` is what it threw. */
export class HandlerError extends Error {
  override readonly name = "HandlerError";

  constructor(where: string, cause: unknown) {
    super(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Names of sections of the specification that errors refer to. */
export const Clause = {
  status: "2.1 Device Status Field",
  features: "2.2 Feature Bits",
  reset: "2.4 Device Reset",
  config: "2.5 Device Configuration Space",
  queues: "2.6 Virtqueues",
  queueReset: "2.6.1 Virtqueue Reset",
  splitQueues: "2.7 Split Virtqueues",
  framing: "2.7.4 Message Framing",
  notifications: "2.3 Notifications",
  initialization: "3.1 Device Initialization",
  operation: "3.2 Device Operation",
  cleanup: "3.3 Device Cleanup",
  suspend: "3.4 Device Suspend",
  pciDiscovery: "4.1.2 PCI Device Discovery",
  pciLayout: "4.1.4 Virtio Structure PCI Capabilities",
  pciVectors: "4.1.5.1.2 MSI-X Vector Configuration",
  mmioRegisters: "4.2.2 MMIO Device Register Layout",
  reservedFeatures: "6 Reserved Feature Bits",
} as const;
