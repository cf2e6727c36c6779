import { describe, expect, it } from "vitest";
import { answer, arpRequest, describeFrame, echoRequest, internetChecksum } from "../../examples/echo-nic/ethernet.js";

const host = { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), ip: Uint8Array.of(10, 0, 0, 1) };
const guest = { mac: Uint8Array.of(2, 0, 0, 0, 0, 2), ip: Uint8Array.of(10, 0, 0, 2) };

describe("the echo NIC's protocol code", () => {
  it("computes the checksum of RFC 1071's example", () => {
    expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0x220d);
  });

  it("answers ARP for its own address only", () => {
    const reply = answer(arpRequest(guest, host.ip), host);
    expect(reply && describeFrame(reply)).toBe("ARP 10.0.0.1 is at 02:00:00:00:00:01");
    expect(answer(arpRequest(guest, Uint8Array.of(10, 0, 0, 9)), host)).toBeUndefined();
  });

  it("answers a ping with the same payload and good checksums", () => {
    const payload = new TextEncoder().encode("round and round");
    const reply = answer(echoRequest(guest, host, 7, payload), host);
    expect(reply && describeFrame(reply)).toBe("ICMP echo reply 10.0.0.1 > 10.0.0.2, seq 7, checksum good");
    expect(reply?.slice(42)).toEqual(payload);
  });

  it("says nothing to rubbish, to a broken checksum and to a cut frame", () => {
    const ping = echoRequest(guest, host, 1, new Uint8Array(8));
    const damaged = ping.slice();
    damaged[45] = 1;
    expect(answer(damaged, host)).toBeUndefined();
    for (let length = 0; length < ping.length; length += 1) expect(answer(ping.slice(0, length), host)).toBeUndefined();
  });
});
