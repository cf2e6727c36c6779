import { NetDriver } from "virtio-gen/devices/net";
import { loopback } from "virtio-gen/runtime/loopback";
import { arpRequest, describeFrame, echoRequest, macText, type Station } from "../echo-nic/ethernet.js";
import { createEchoNic, PLAIN_HEADER } from "../echo-nic/nic.js";
import { heading, line } from "../shared/terminal.js";
import { Recorder } from "./trace.js";

const host: Station = { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), ip: Uint8Array.of(10, 0, 0, 1) };
const guest: Station = { mac: Uint8Array.of(2, 0, 0, 0, 0, 2), ip: Uint8Array.of(10, 0, 0, 2) };

/** Sends Ethernet frames through a NIC whose device side answers ARP and ping. */
export async function tourNetwork(): Promise<void> {
  heading("net: Ethernet frames, answered by the device side");
  const recorder = new Recorder();
  let arrived: (frame: Uint8Array) => void = () => {};
  const driver = await NetDriver.start(loopback(createEchoNic(host), { trace: recorder.trace }), {
    features: ["MAC", "MRG_RXBUF"],
    receiveq: (packet) => arrived(packet.data),
    receiveqBuffers: { count: 16, size: 2048 },
  });
  const exchange = async (frame: Uint8Array): Promise<void> => {
    const reply = new Promise<Uint8Array>((resolve) => {
      arrived = resolve;
    });
    line("sent", describeFrame(frame));
    await driver.transmitq.send({ hdr: PLAIN_HEADER, data: frame });
    line("received", describeFrame(await reply));
  };
  line("mac", macText(driver.config.mac ?? new Uint8Array(6)));
  await exchange(arpRequest(guest, host.ip));
  const ping = echoRequest(guest, host, 1, new TextEncoder().encode("abcdefghijklmnopqrstuvwabcdefghi"));
  await recorder.record(() => exchange(ping));
  console.log(recorder.lines().join("\n"));
  await driver.stop();
}
