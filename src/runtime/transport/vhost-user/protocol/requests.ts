import type { ProtocolFeatureName } from "./features.js";

/** The layouts that a payload can have; see payloads.ts. */
export type PayloadKind =
  | "none"
  | "u64"
  | "vringState"
  | "vringAddress"
  | "memoryTable"
  | "memoryRegion"
  | "log"
  | "config"
  | "inflight"
  | "cryptoSession"
  | "iotlb";

/** What goes with a request. */
export interface RequestShape {
  readonly number: number;
  readonly payload: PayloadKind;
  /** Layout of the reply that it always gets; absent: none, or a u64 with REPLY_ACK. */
  readonly reply?: PayloadKind;
  /**
   * File descriptors: a number, as many as there are regions, one unless the payload says that there is none (bit 8), or
   * one or none.
   */
  readonly fds: 0 | 1 | "regions" | "unless-flagged" | "optional";
  /** Protocol feature that it needs. */
  readonly needs?: ProtocolFeatureName;
}

function shapes<Name extends string>(table: Record<Name, RequestShape>): Readonly<Record<Name, RequestShape>> {
  return table;
}

/** What the front end asks of the back end. */
export const frontEndRequests = shapes({
  // QEMU acknowledges a change of the memory table that has changed nothing with it, in post-copy mode.
  NONE: { number: 0, payload: "u64", fds: 0, needs: "PAGEFAULT" },
  GET_FEATURES: { number: 1, payload: "none", reply: "u64", fds: 0 },
  SET_FEATURES: { number: 2, payload: "u64", fds: 0 },
  SET_OWNER: { number: 3, payload: "none", fds: 0 },
  RESET_OWNER: { number: 4, payload: "none", fds: 0 },
  SET_MEM_TABLE: { number: 5, payload: "memoryTable", fds: "regions" },
  SET_LOG_BASE: { number: 6, payload: "log", fds: 1, reply: "u64", needs: "LOG_SHMFD" },
  SET_LOG_FD: { number: 7, payload: "none", fds: "optional" },
  SET_VRING_NUM: { number: 8, payload: "vringState", fds: 0 },
  SET_VRING_ADDR: { number: 9, payload: "vringAddress", fds: 0 },
  SET_VRING_BASE: { number: 10, payload: "vringState", fds: 0 },
  GET_VRING_BASE: { number: 11, payload: "vringState", reply: "vringState", fds: 0 },
  SET_VRING_KICK: { number: 12, payload: "u64", fds: "unless-flagged" },
  SET_VRING_CALL: { number: 13, payload: "u64", fds: "unless-flagged" },
  SET_VRING_ERR: { number: 14, payload: "u64", fds: "unless-flagged" },
  GET_PROTOCOL_FEATURES: { number: 15, payload: "none", reply: "u64", fds: 0 },
  SET_PROTOCOL_FEATURES: { number: 16, payload: "u64", fds: 0 },
  GET_QUEUE_NUM: { number: 17, payload: "none", reply: "u64", fds: 0 },
  SET_VRING_ENABLE: { number: 18, payload: "vringState", fds: 0 },
  SEND_RARP: { number: 19, payload: "u64", fds: 0, needs: "RARP" },
  NET_SET_MTU: { number: 20, payload: "u64", fds: 0, needs: "MTU" },
  SET_BACKEND_REQ_FD: { number: 21, payload: "none", fds: 1, needs: "BACKEND_REQ" },
  IOTLB_MSG: { number: 22, payload: "iotlb", fds: 0 },
  GET_CONFIG: { number: 24, payload: "config", reply: "config", fds: 0, needs: "CONFIG" },
  SET_CONFIG: { number: 25, payload: "config", fds: 0, needs: "CONFIG" },
  CREATE_CRYPTO_SESSION: {
    number: 26,
    payload: "cryptoSession",
    reply: "cryptoSession",
    fds: 0,
    needs: "CRYPTO_SESSION",
  },
  CLOSE_CRYPTO_SESSION: { number: 27, payload: "u64", fds: 0, needs: "CRYPTO_SESSION" },
  POSTCOPY_ADVISE: { number: 28, payload: "none", reply: "none", fds: 0, needs: "PAGEFAULT" },
  POSTCOPY_LISTEN: { number: 29, payload: "none", fds: 0, needs: "PAGEFAULT" },
  POSTCOPY_END: { number: 30, payload: "none", reply: "u64", fds: 0, needs: "PAGEFAULT" },
  GET_INFLIGHT_FD: { number: 31, payload: "inflight", reply: "inflight", fds: 0, needs: "INFLIGHT_SHMFD" },
  SET_INFLIGHT_FD: { number: 32, payload: "inflight", fds: 1, needs: "INFLIGHT_SHMFD" },
  RESET_DEVICE: { number: 34, payload: "none", fds: 0, needs: "RESET_DEVICE" },
  VRING_KICK: { number: 35, payload: "vringState", fds: 0, needs: "INBAND_NOTIFICATIONS" },
  GET_MAX_MEM_SLOTS: { number: 36, payload: "none", reply: "u64", fds: 0, needs: "CONFIGURE_MEM_SLOTS" },
  ADD_MEM_REG: { number: 37, payload: "memoryRegion", fds: 1, needs: "CONFIGURE_MEM_SLOTS" },
  REM_MEM_REG: { number: 38, payload: "memoryRegion", fds: "optional", needs: "CONFIGURE_MEM_SLOTS" },
  SET_STATUS: { number: 39, payload: "u64", fds: 0, needs: "STATUS" },
  GET_STATUS: { number: 40, payload: "none", reply: "u64", fds: 0, needs: "STATUS" },
});
export type FrontEndRequest = keyof typeof frontEndRequests;

/** What the back end asks of the front end, over a socket of its own. */
export const backEndRequests = shapes({
  IOTLB_MSG: { number: 1, payload: "iotlb", fds: 0 },
  CONFIG_CHANGE_MSG: { number: 2, payload: "none", fds: 0, needs: "CONFIG" },
  VRING_CALL: { number: 4, payload: "vringState", fds: 0, needs: "INBAND_NOTIFICATIONS" },
  VRING_ERR: { number: 5, payload: "vringState", fds: 0, needs: "INBAND_NOTIFICATIONS" },
});
export type BackEndRequest = keyof typeof backEndRequests;

/** The requests of one direction, by name and by number. */
export class RequestTable<Name extends string> {
  readonly shapes: Readonly<Record<Name, RequestShape>>;
  readonly #names = new Map<number, Name>();

  constructor(shapesOf: Readonly<Record<Name, RequestShape>>, isName: (text: string) => text is Name) {
    this.shapes = shapesOf;
    for (const name of Object.keys(shapesOf)) if (isName(name)) this.#names.set(shapesOf[name].number, name);
  }

  nameOf(number: number): Name | undefined {
    return this.#names.get(number);
  }
}

export const frontEndTable = new RequestTable<FrontEndRequest>(
  frontEndRequests,
  (text): text is FrontEndRequest => text in frontEndRequests,
);
export const backEndTable = new RequestTable<BackEndRequest>(
  backEndRequests,
  (text): text is BackEndRequest => text in backEndRequests,
);
