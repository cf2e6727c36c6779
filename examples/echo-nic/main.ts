/** A NIC that answers ARP and ping, and a driver that pings it. Run with `npm run example echo-nic`. */
import { NetDriver } from "virtio-gen/devices/net";
import { loopback } from "virtio-gen/runtime/loopback";
import { arpRequest, describeFrame, echoRequest, type Station } from "./ethernet.js";
import { createEchoNic, PLAIN_HEADER } from "./nic.js";

const host: Station = { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), ip: Uint8Array.of(10, 0, 0, 1) };
const guest: Station = { mac: Uint8Array.of(2, 0, 0, 0, 0, 2), ip: Uint8Array.of(10, 0, 0, 2) };
const PINGS = 3;

let arrived: (frame: Uint8Array) => void = () => {};
const driver = await NetDriver.start(loopback(createEchoNic(host)), {
  features: ["MAC", "MRG_RXBUF"],
  receiveq: (packet) => arrived(packet.data),
  receiveqBuffers: { count: 16, size: 256 },
});

/** Sends a frame and waits for the next one that comes in. */
async function exchange(frame: Uint8Array): Promise<Uint8Array> {
  const reply = new Promise<Uint8Array>((resolve) => {
    arrived = resolve;
  });
  console.log(`> ${describeFrame(frame)}`);
  await driver.transmitq.send({ hdr: PLAIN_HEADER, data: frame });
  return reply;
}

console.log(`< ${describeFrame(await exchange(arpRequest(guest, host.ip)))}`);
for (let sequence = 1; sequence <= PINGS; sequence += 1) {
  // 1000 bytes do not fit in one buffer of 256: the device merges several.
  const payload = new Uint8Array(1000).fill(sequence);
  console.log(`< ${describeFrame(await exchange(echoRequest(guest, host, sequence, payload)))}`);
}
await driver.stop();
