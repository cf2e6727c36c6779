import { ConsoleDevice, ConsoleDriver, type ConsoleControlMessage } from "virtio-gen/devices/console";
import { loopback } from "virtio-gen/runtime/loopback";
import { heading, line } from "../shared/terminal.js";
import { Recorder } from "./trace.js";

const PORTS = 2;
const NAMES = ["console", "log"];

/** A console with two ports: port 0 answers in capitals, port 1 counts. */
function createConsole(): ConsoleDevice {
  const text = new TextDecoder();
  const counts = new Array<number>(PORTS).fill(0);
  const device = new ConsoleDevice({
    features: ["MULTIPORT", "SIZE"],
    config: { cols: 80, rows: 25, maxNrPorts: PORTS },
    transmitq(message) {
      const { position } = message;
      const heard = text.decode(message.data.toUint8Array());
      message.complete();
      counts[position] = (counts[position] ?? 0) + heard.length;
      const answer = position === 0 ? heard.toUpperCase() : `${String(counts[position])} characters so far`;
      device.receiveqs[position]?.send({ data: new TextEncoder().encode(answer) });
    },
    controlTransmitq(message) {
      const { id, event, value } = message.header;
      message.complete();
      const send = (sent: ConsoleControlMessage): boolean => device.controlReceiveq.send(sent);
      if (event === "DEVICE_READY" && value === 1) {
        for (let port = 0; port < PORTS; port += 1) send({ header: { id: port, event: "DEVICE_ADD", value: 0 } });
      }
      if (event === "PORT_READY" && value === 1) {
        const name = NAMES[id] ?? "";
        send({ header: { id, event: "PORT_NAME", value: 1 }, body: { kind: "PORT_NAME", name } });
        if (id === 0) send({ header: { id, event: "CONSOLE_PORT", value: 1 } });
        send({ header: { id, event: "PORT_OPEN", value: 1 } });
      }
    },
  });
  return device;
}

/** The multiport handshake, then a line to each port. */
export async function tourConsole(): Promise<void> {
  heading("console: two ports and their handshake");
  const recorder = new Recorder();
  const names = new Map<number, string>();
  const open = new Set<number>();
  let ready: () => void = () => {};
  let heard: (text: string) => void = () => {};
  const allOpen = new Promise<void>((resolve) => {
    ready = resolve;
  });

  const driver: ConsoleDriver = await ConsoleDriver.start(loopback(createConsole(), { trace: recorder.trace }), {
    features: ["MULTIPORT", "SIZE"],
    receiveq: (message) => heard(new TextDecoder().decode(message.data)),
    receiveqBuffers: { count: 4, size: 256 },
    async controlReceiveq(message) {
      const { id, event, value } = message.header;
      if (event === "DEVICE_ADD") {
        await driver.controlTransmitq?.send({ header: { id, event: "PORT_READY", value: 1 } });
      }
      if (message.body?.kind === "PORT_NAME") names.set(id, message.body.name);
      if (event === "PORT_OPEN" && value === 1 && open.add(id).size === PORTS) ready();
    },
  });
  await driver.controlTransmitq?.send({ header: { id: 0, event: "DEVICE_READY", value: 1 } });
  await allOpen;
  line("size", `${String(driver.config.cols)} x ${String(driver.config.rows)}`);
  for (const [port, name] of names) line("port", `${String(port)} is called "${name}" and is open`);

  const say = async (port: number, words: string): Promise<void> => {
    const reply = new Promise<string>((resolve) => {
      heard = resolve;
    });
    await driver.transmitqs[port]?.send({ data: new TextEncoder().encode(words) });
    line(`port ${String(port)}`, `"${words}" -> "${await reply}"`);
  };
  await say(0, "hello, console");
  await recorder.record(() => say(1, "hello, log"));
  console.log(recorder.lines().join("\n"));
  await driver.stop();
}
