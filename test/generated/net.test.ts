import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  NetDevice,
  NetDriver,
  NetFeature,
  sizeOfNetHdr,
  type NetControl,
  type NetControlInput,
  type NetHdr,
  type NetPacket,
  type NetStatsReply,
} from "../../generated/net.js";
import { FeatureSet } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const plain: NetHdr = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, numBuffers: 1 };

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 0));
  expect(done()).toBe(true);
}

test.each([
  [12, []],
  [20, ["HASH_REPORT"]],
  [24, ["HOST_UDP_TUNNEL_GSO"]],
  [24, ["GUEST_UDP_TUNNEL_GSO", "HASH_REPORT"]],
  [32, ["IPSEC"]],
  [32, ["OUT_NET_HEADER", "HASH_REPORT"]],
] as const)("the header has %i bytes with %j", (size, features) => {
  expect(sizeOfNetHdr(FeatureSet.of(features.map((name) => NetFeature[name])))).toBe(size);
});

describe.each([
  ["no features", [], {}],
  ["HASH_REPORT", ["CTRL_VQ", "HASH_REPORT"], { hashValue: 0xdeadbeef, hashReport: "TCPv6" }],
  ["MRG_RXBUF", ["MRG_RXBUF"], {}],
  ["OUT_NET_HEADER", ["OUT_NET_HEADER"], { outerNhOffset: 14 }],
] as const)("packets with %s", (_, features, extra) => {
  test("reach the other side, both ways", async () => {
    const received: NetPacket[] = [];
    const transmitted: { readonly hdr: unknown; readonly data: Uint8Array }[] = [];
    const device = new NetDevice({
      features,
      config: { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), rssMaxKeySize: 40 },
      transmitq(buffer) {
        transmitted.push({ hdr: JSON.parse(JSON.stringify(buffer.hdr)), data: buffer.data.toUint8Array() });
        return buffer.complete();
      },
    });
    const driver = await NetDriver.start(loopback(device), {
      features,
      receiveq: (packet) => {
        received.push(packet);
      },
      receiveqBuffers: { count: 8, size: features.some((name) => name === "MRG_RXBUF") ? 64 : 2048 },
    });
    const hdr: NetHdr = { ...plain, ...extra, flags: 1, csumStart: 14, csumOffset: 2 };
    const data = Uint8Array.from({ length: 150 }, (_each, index) => index);
    await driver.transmitq.send({ hdr, data });
    expect(transmitted[0]?.data).toEqual(data);
    expect(transmitted[0]?.hdr).toMatchObject({ flags: 1, csumStart: 14, csumOffset: 2, ...extra });
    expect(device.receiveq.send({ hdr, data })).toBe(true);
    await until(() => received.length === 1);
    expect(received[0]?.data).toEqual(data);
    expect(received[0]?.hdr).toMatchObject({ flags: 1, csumStart: 14, ...extra });
    expect(received[0]?.hdr.numBuffers).toBe(features.some((name) => name === "MRG_RXBUF") ? 3 : 1);
    await driver.stop();
  });
});

describe("control commands", () => {
  const features = [
    "CTRL_VQ",
    "CTRL_RX",
    "CTRL_RX_EXTRA",
    "CTRL_VLAN",
    "GUEST_ANNOUNCE",
    "MQ",
    "CTRL_MAC_ADDR",
    "CTRL_GUEST_OFFLOADS",
    "GUEST_CSUM",
    "NOTF_COAL",
    "VQ_NOTF_COAL",
    "RSS",
    "HASH_REPORT",
    "HASH_TUNNEL",
    "RSS_CONTEXT",
    "DEVICE_STATS",
    "STATUS",
  ] as const;
  const statistics: NetStatsReply[] = [
    { hdr: { type: "CVQ", vqIndex: 4, size: 24 }, stats: { kind: "CVQ", commandNum: 7n, okNum: 6n } },
    { hdr: { type: 77, vqIndex: 0, size: 12 } },
    { hdr: { type: "RX_SPEED", vqIndex: 0, size: 24 }, stats: { kind: "RX_SPEED", rxPacketsAllowanceExceeded: 1n, rxBytesAllowanceExceeded: 2n } },
  ];
  let driver: NetDriver;
  let commands: unknown[] = [];
  let fail = false;

  function serve(request: NetControl) {
    commands.push(request);
    if (fail) return request.complete("ERR");
    switch (request.class) {
      case "NOTF_COAL":
        if (request.command === "VQ_GET") return request.complete({ ack: "OK", coal: { maxPackets: 8, maxUsecs: request.vqIndex } });
        return request.complete(typeof request.command === "number" ? "ERR" : "OK");
      case "STATS":
        if (request.command === "QUERY") return request.complete({ ack: "OK", capabilities: { supportedStatsTypes: [1n << 32n] } });
        if (request.command === "GET") return request.complete({ ack: "OK", replies: statistics });
        return request.complete("ERR");
      case "RSS_CTX":
        if (request.command === "CAP_GET") return request.complete({ ack: "OK", capability: { maxRssContexts: 4 } });
        return request.complete(typeof request.command === "number" ? "ERR" : "OK");
      default:
        return request.complete(typeof request.command === "number" ? "ERR" : "OK");
    }
  }

  beforeEach(async () => {
    commands = [];
    fail = false;
    const device = new NetDevice({
      features,
      config: { maxVirtqueuePairs: 2, rssMaxKeySize: 40, rssMaxIndirectionTableLength: 128 },
      transmitq: (buffer) => buffer.complete(),
      controlq: (request) => {
        const outcome = { ...JSON.parse(JSON.stringify(request, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value))) };
        const result = serve(request);
        commands[commands.length - 1] = outcome;
        return result;
      },
    });
    driver = await NetDriver.start(loopback(device), { features });
  });
  afterEach(() => driver.stop());

  const rss = {
    hashTypes: 7,
    unclassifiedQueue: { vqIndex1_16: 1 },
    indirectionTable: [{ vqIndex1_16: 0 }, { vqIndex1_16: 1 }],
    maxTxVq: 2,
    hashKeyData: Uint8Array.of(1, 2, 3),
  };
  const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

  const simple: NetControlInput[] = [
    { class: "RX", command: "PROMISC", on: 1 },
    { class: "RX", command: "ALLMULTI", on: 0 },
    { class: "RX", command: "NOBCAST", on: 1 },
    { class: "MAC", command: "TABLE_SET", unicast: { macs: [mac(1)] }, multicast: { macs: [mac(2), mac(3)] } },
    { class: "MAC", command: "ADDR_SET", mac: mac(9) },
    { class: "VLAN", command: "ADD", vlanId: 100 },
    { class: "VLAN", command: "DEL", vlanId: 4094 },
    { class: "ANNOUNCE", command: "ACK" },
    { class: "MQ", command: "VQ_PAIRS_SET", pairs: { virtqueuePairs: 2 } },
    { class: "MQ", command: "RSS_CONFIG", rss },
    { class: "MQ", command: "HASH_CONFIG", hash: { hashTypes: 3, hashKeyData: Uint8Array.of(5) } },
    { class: "GUEST_OFFLOADS", command: "SET", offloads: 2n },
    { class: "NOTF_COAL", command: "TX_SET", coal: { maxPackets: 1, maxUsecs: 2 } },
    { class: "NOTF_COAL", command: "RX_SET", coal: { maxPackets: 3, maxUsecs: 4 } },
    { class: "NOTF_COAL", command: "VQ_SET", coalVq: { vqIndex: 3, coal: { maxPackets: 5, maxUsecs: 6 } } },
    { class: "HASH_TUNNEL", command: "SET", tunnel: { enabledTunnelTypes: 0x11 } },
    { class: "RSS_CTX", command: "ADD", context: { rssCtxId: 1, rss } },
    { class: "RSS_CTX", command: "MOD", context: { rssCtxId: 1, rss } },
    { class: "RSS_CTX", command: "DEL", context: { rssCtxId: 1 } },
  ];

  test.each(simple.map((input) => [`${input.class} ${input.command}`, input] as const))("%s", async (_, input) => {
    const { controlq } = driver;
    expect(controlq).toBeDefined();
    expect(await controlq?.submit(input)).toEqual({ ack: "OK" });
    const sent: unknown = JSON.parse(JSON.stringify(input, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value)));
    expect(commands).toEqual([sent]);
  });

  test("commands with a result", async () => {
    expect(await driver.controlq?.submit({ class: "NOTF_COAL", command: "VQ_GET", vqIndex: 3 })).toEqual({
      ack: "OK",
      coal: { maxPackets: 8, maxUsecs: 3 },
    });
    expect(await driver.controlq?.submit({ class: "STATS", command: "QUERY" })).toEqual({
      ack: "OK",
      capabilities: { supportedStatsTypes: [1n << 32n] },
    });
    expect(await driver.controlq?.submit({ class: "RSS_CTX", command: "CAP_GET" })).toEqual({
      ack: "OK",
      capability: { maxRssContexts: 4 },
    });
    const queues = { stats: [{ vqIndex: 4, typesBitmap: [1n << 32n] }] };
    const reply = await driver.controlq?.submit({ class: "STATS", command: "GET", queues, replies: 1024 });
    expect(reply).toEqual({ ack: "OK", replies: statistics });
  });

  test("a failure leaves the result out", async () => {
    fail = true;
    const reply = await driver.controlq?.submit({ class: "STATS", command: "QUERY" });
    expect(reply).toEqual({ ack: "ERR" });
    expect(reply?.capabilities).toBeUndefined();
  });

  test("queues are where the chapter says", () => {
    expect(driver.transmitqs).toHaveLength(2);
  });
});

test("a command whose feature was not negotiated is unknown", async () => {
  const seen: unknown[] = [];
  const device = new NetDevice({
    features: ["CTRL_VQ", "CTRL_VLAN"],
    config: {},
    transmitq: (buffer) => buffer.complete(),
    controlq(request) {
      seen.push([request.class, request.command]);
      return request.complete("ERR");
    },
  });
  const driver = await NetDriver.start(loopback(device), { features: ["CTRL_VQ"] });
  expect(await driver.controlq?.submit({ class: "VLAN", command: "ADD", vlanId: 1 })).toEqual({ ack: "ERR" });
  expect(seen).toEqual([["VLAN", 0]]);
  await driver.stop();
});
