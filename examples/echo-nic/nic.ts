import { NetDevice, type NetHdr } from "virtio-gen/devices/net";
import { answer, type Station } from "./ethernet.js";

/** The header of a packet that needs no offload. */
export const PLAIN_HEADER: NetHdr = {
  flags: 0,
  gsoType: 0,
  hdrLen: 0,
  gsoSize: 0,
  csumStart: 0,
  csumOffset: 0,
  numBuffers: 1,
};

/** Longest frame that the NIC takes: 1500 bytes of payload and the Ethernet header. */
const LONGEST_FRAME = 1514;

/** A NIC with somebody behind it who answers ARP and ping. `see` is told of each frame. */
export function createEchoNic(
  self: Station,
  see: (direction: "in" | "out", frame: Uint8Array) => void = () => {},
): NetDevice {
  const nic = new NetDevice({
    features: ["MAC", "MRG_RXBUF"],
    config: { mac: self.mac },
    transmitq(packet) {
      if (packet.data.length > LONGEST_FRAME) return packet.complete();
      const frame = packet.data.toUint8Array();
      see("in", frame);
      packet.complete();
      const reply = answer(frame, self);
      if (!reply) return;
      see("out", reply);
      // No buffer posted: the reply is dropped, as a real network would.
      nic.receiveq.send({ hdr: PLAIN_HEADER, data: reply });
    },
  });
  return nic;
}
