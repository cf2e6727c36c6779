import { getRandomValues } from "node:crypto";
import { EntropyDevice, EntropyDriver } from "virtio-gen/devices/entropy";
import { loopback } from "virtio-gen/runtime/loopback";
import { heading, hex, line } from "../shared/terminal.js";
import { Recorder } from "./trace.js";

/** Draws random bytes. */
export async function tourEntropy(): Promise<void> {
  heading("entropy: random bytes");
  const recorder = new Recorder();
  const device = new EntropyDevice({
    requestq(request) {
      request.data.write(getRandomValues(new Uint8Array(request.data.length)));
      return request.complete();
    },
  });
  const driver = await EntropyDriver.start(loopback(device, { trace: recorder.trace }));
  const { data } = await recorder.record(() => driver.requestq.submit({ data: 32 }));
  line("drawn", `${String(data.length)} bytes: ${hex(data)}`);
  console.log(recorder.lines().join("\n"));
  await driver.stop();
}
