import { FeatureSet } from "../../../negotiation/index.js";
import {
  decodePayload,
  ProtocolFeature,
  VhostUserError,
  type FrontEndRequest,
  type Message,
} from "../protocol/index.js";

/** Least MTU of a network card, in bytes (VIRTIO 1.4, 5.1.4.1). */
const leastMtu = 68;
const mostMtu = 0xffff;

/** What the front end of a network card says beside its rings. What is absent is not offered. */
export interface NetworkRequests {
  /**
   * NET_SET_MTU: what the driver is told, 68 to 65,535 bytes, before the card starts. False: the card cannot do that. QEMU
   * does not start it then.
   */
  readonly setMtu?: (mtu: number) => boolean;
  /**
   * SEND_RARP: the guest has moved here, and its driver does not announce itself (GUEST_ANNOUNCE). The network is to learn
   * that the address, six bytes, is here now.
   */
  readonly announce?: (mac: Uint8Array) => void;
}

export function networkFeatures({ setMtu, announce }: NetworkRequests): FeatureSet {
  return FeatureSet.of([
    ...(setMtu === undefined ? [] : [ProtocolFeature.MTU]),
    ...(announce === undefined ? [] : [ProtocolFeature.RARP]),
  ]);
}

/** @throws VhostUserError (`refused`) when it cannot be. */
export function setMtu({ setMtu: set }: NetworkRequests, message: Message<FrontEndRequest>): void {
  const mtu = Number(decodePayload("u64", message));
  const isPossible = mtu >= leastMtu && mtu <= mostMtu && set?.(mtu) === true;
  if (!isPossible) throw new VhostUserError("refused", `an MTU of ${mtu}`);
}

export function announce({ announce: tell }: NetworkRequests, message: Message<FrontEndRequest>): void {
  // Its bytes in the order in which they are on the wire.
  tell?.(message.payload.slice(0, 6));
}
