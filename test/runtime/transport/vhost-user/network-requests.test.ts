import { describe, expect, it } from "vitest";
import { NetDevice } from "../../../../generated/net.js";
import type { NetworkRequests } from "../../../../src/runtime/transport/vhost-user/index.js";
import { ProtocolFeature } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { pause, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser, serveDevice } from "./served-device.js";

const bit = (feature: number): bigint => 1n << BigInt(feature);
const MTU = bit(ProtocolFeature.MTU);
const RARP = bit(ProtocolFeature.RARP);

/** A front end of a card that has agreed on all that is offered, and how the card's connection ended. */
async function frontEndOf(network?: NetworkRequests): Promise<{
  readonly front: ScriptedFrontEnd;
  readonly offered: bigint;
  readonly ends: string[];
}> {
  const device = new NetDevice({ features: ["MTU"], config: { mtu: 1500 }, transmitq: (buffer) => buffer.complete() });
  const { path, ends } = await serveDevice(device, network && { network });
  const front = await ScriptedFrontEnd.connect(path);
  const offered = await front.askNumber("GET_PROTOCOL_FEATURES");
  front.send("SET_PROTOCOL_FEATURES", "u64", offered);
  return { front, offered, ends };
}

describe.runIf(await requireVhostUser())("what the front end of a network card says beside its rings", () => {
  it("is not offered unless somebody wants to know, and refused then", async () => {
    const { offered, front, ends } = await frontEndOf();
    expect(offered & (MTU | RARP)).toBe(0n);
    front.send("NET_SET_MTU", "u64", 1500n);
    await until(() => ends.length === 1);
    expect(ends).toEqual(["not-negotiated"]);
    const onlyMtu = await frontEndOf({ setMtu: () => true });
    expect(onlyMtu.offered & (MTU | RARP)).toBe(MTU);
    onlyMtu.front.send("SEND_RARP", "u64", 0n);
    await until(() => onlyMtu.ends.length === 1);
    expect(onlyMtu.ends).toEqual(["not-negotiated"]);
  });

  it("is the MTU, which the card may refuse", async () => {
    const heard: number[] = [];
    const { front, offered, ends } = await frontEndOf({
      setMtu: (mtu) => {
        heard.push(mtu);
        return mtu <= 9000;
      },
    });
    expect(offered & MTU).toBe(MTU);
    const set = (mtu: bigint): Promise<boolean> => front.acknowledged("NET_SET_MTU", "u64", mtu);
    expect([await set(68n), await set(9000n), await set(9001n)]).toEqual([true, true, false]);
    // No card has such an MTU, so it is not even asked.
    expect([await set(0n), await set(67n), await set(65_536n), await set(2n ** 64n - 1n)]).toEqual(
      Array(4).fill(false),
    );
    expect(heard).toEqual([68, 9000, 9001]);
    expect(ends).toEqual([]);
  });

  it("is the address of a guest that has moved here", async () => {
    const heard: Uint8Array[] = [];
    const { front, offered, ends } = await frontEndOf({ announce: (mac) => void heard.push(mac) });
    expect(offered & RARP).toBe(RARP);
    const mac = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);
    const asNumber = new DataView(Uint8Array.of(...mac, 0, 0).buffer).getBigUint64(0, true);
    expect(await front.acknowledged("SEND_RARP", "u64", asNumber)).toBe(true);
    front.send("SEND_RARP", "u64", asNumber);
    await until(() => heard.length === 2);
    expect(heard).toEqual([mac, mac]);
    await pause(5);
    expect(ends).toEqual([]);
  });
});
