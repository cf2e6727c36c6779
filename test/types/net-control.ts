// Two tags: the class decides which commands there are, and both decide the rest.
import type { NetControl, NetControlQueue, NetCtrlCoal, NetStatsReply } from "virtio-gen/devices/net";
import { type Same, holds } from "./same.js";

const mac = new Uint8Array(6);
const pairs = { virtqueuePairs: 2 };
declare const coal: NetCtrlCoal;

export async function submitted(controlq: NetControlQueue) {
  const set = await controlq.submit({ class: "MAC", command: "ADDR_SET", mac });
  holds<Same<keyof typeof set, "ack">>();
  await controlq.submit({ class: "MQ", command: "VQ_PAIRS_SET", pairs });
  await controlq.submit({ class: "RX", command: "PROMISC", on: 1 });
  const asked = await controlq.submit({ class: "NOTF_COAL", command: "VQ_GET", vqIndex: 0 });
  holds<Same<typeof asked.coal, NetCtrlCoal | undefined>>();
  const statistics = await controlq.submit({ class: "STATS", command: "GET", queues: { stats: [] }, replies: 4096 });
  holds<Same<typeof statistics.replies, readonly NetStatsReply[] | undefined>>();
}

export function wrongTags(controlq: NetControlQueue) {
  // @ts-expect-error TS2322: Type '"VQ_PAIRS_SET"' is not assignable to type
  void controlq.submit({ class: "MAC", command: "VQ_PAIRS_SET", mac });
  // @ts-expect-error TS2322: Type '"ADDR_SET"' is not assignable to type
  void controlq.submit({ class: "MQ", command: "ADDR_SET", pairs });
  // @ts-expect-error TS2322: Type '"GET"' is not assignable to type
  void controlq.submit({ class: "VLAN", command: "GET", vlanId: 1 });
  // @ts-expect-error TS2322: Type '"MACC"' is not assignable to type
  void controlq.submit({ class: "MACC", command: "ADDR_SET", mac });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type
  void controlq.submit({ class: 1, command: "ADDR_SET", mac });
  // @ts-expect-error TS2345: Property 'command' is missing in type
  void controlq.submit({ class: "ANNOUNCE" });
}

export async function wrongFields(controlq: NetControlQueue) {
  // @ts-expect-error TS2353: 'pairs' does not exist in type
  void controlq.submit({ class: "MAC", command: "ADDR_SET", pairs });
  // @ts-expect-error TS2353: 'mac' does not exist in type
  void controlq.submit({ class: "MAC", command: "TABLE_SET", mac });
  // @ts-expect-error TS2345: Property 'pairs' is missing in type
  void controlq.submit({ class: "MQ", command: "VQ_PAIRS_SET" });
  const set = await controlq.submit({ class: "NOTF_COAL", command: "TX_SET", coal });
  // @ts-expect-error TS2339: Property 'coal' does not exist on type 'NetControlAckReply'
  void set.coal;
  const asked = await controlq.submit({ class: "NOTF_COAL", command: "VQ_GET", vqIndex: 0 });
  // A device that refuses says nothing more.
  // @ts-expect-error TS18048: 'asked.coal' is possibly 'undefined'
  void asked.coal.maxPackets;
}

export function served(request: NetControl) {
  if (request.class === "MAC" && request.command === "ADDR_SET") {
    holds<Same<typeof request.mac, Uint8Array>>();
    // @ts-expect-error TS2339: Property 'unicast' does not exist on type 'NetMacAddrSetControl'
    void request.unicast;
    // @ts-expect-error TS2345: Argument of type '"OKAY"' is not assignable to parameter of type
    return request.complete("OKAY");
  }
  if (request.class === "NOTF_COAL" && request.command === "VQ_GET") {
    // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable to parameter of type
    request.complete("OK");
    // @ts-expect-error TS2353: 'capability' does not exist in type 'NetNotfCoalVqGetControlAnswer'
    request.complete({ ack: "OK", capability: { maxRssContexts: 1 } });
    return request.complete({ ack: "OK", coal });
  }
  // @ts-expect-error TS2367: This comparison appears to be unintentional
  if (request.class === "ANNOUNCE" && request.command === "VQ_PAIRS_SET") return;
  return request.complete("ERR");
}
