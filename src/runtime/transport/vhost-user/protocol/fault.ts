const rules = {
  version: "the version of a message is 1",
  flags: "the reserved flags of a message are 0",
  direction: "only replies have the reply flag, and all replies have it",
  "unknown-request": "the request is not one that is known",
  "not-negotiated": "the request needs a protocol feature that was not negotiated",
  "payload-size": "the payload has the size that goes with the request",
  "cut-short": "a message does not end before its payload does",
  "number-range": "addresses and sizes are below 2^53",
  "descriptor-count": "a message carries the file descriptors that go with the request",
  descriptor: "a file descriptor is of the kind that the request needs",
  "region-count": "there are as many memory regions as allowed",
  "region-range": "a memory region is not empty, and does not end beyond the address space",
  "region-overlap": "memory regions do not overlap",
  "region-file": "a memory region lies within its file",
  "region-unknown": "the region to remove is one that was added",
  "memory-in-use": "memory goes away when no ring uses it",
  "ring-index": "there is a ring with this index",
  "ring-size": "the size of a ring is one that the device offers",
  "ring-address": "the parts of a ring lie in memory",
  "ring-base": "a ring starts where it can be",
  translation: "a translation leads to memory, and is told or taken back",
  "ring-running": "a ring is set up while it is stopped",
  features: "features are offered, and do not change while a ring runs",
  "log-running": "the log is turned on while it is off",
  "log-range": "the log is in its file and covers all memory",
  "postcopy-order": "the messages of a post-copy migration come in their order",
  "postcopy-memory": "in post-copy mode there is no memory but that which was set first",
  "inflight-size": "the inflight region has the size that its numbers make",
  "config-range": "an access to the configuration is within it",
  "crypto-session": "a crypto session is of a kind that there is, and its keys fit into the message",
  "unexpected-reply": "a reply is one to what was asked",
  "same-device": "a back end that takes the place of another offers what that one did",
  refused: "the peer did what it was asked to",
  "peer-gone": "the peer is there",
  "peer-slow": "the peer reads what it is sent",
  "worker-gone": "the Worker that works on a ring is there",
  unanswered: "the peer answers in time",
} as const;

/** Stable name of a rule of the vhost-user protocol. */
export type VhostUserRule = keyof typeof rules;

/** The peer broke a rule of the protocol, or is gone. */
export class VhostUserError extends Error {
  override readonly name = "VhostUserError";
  readonly rule: VhostUserRule;
  readonly detail: string;

  constructor(rule: VhostUserRule, detail: string, options?: ErrorOptions) {
    super(`${rule}: ${rules[rule]} (${detail})`, options);
    this.rule = rule;
    this.detail = detail;
  }
}
