import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ConsoleDevice } from "../../../generated/console.js";
import { until } from "../qemu/until.js";
import { ConsolePorts } from "./console-ports.js";
import { requireUml, umlWith } from "./uml.js";

const MIB = 1 << 20;
const CONSOLE = 0;
const CHANNEL = 1;
const LATER = 2;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const suite = describe.runIf(await requireUml());
suite("Linux's console driver and two generated devices over vhost-user", { timeout: 900_000 }, () => {
  const ports = new ConsolePorts([{}, { name: "org.example.channel" }, { name: "org.example.later" }], 2);
  // The other one has a single port and no control queues.
  let typed = "";
  const simple = new ConsoleDevice({
    features: ["SIZE"],
    config: { cols: 80, rows: 25 },
    transmitq(buffer) {
      typed += Buffer.from(buffer.data.toUint8Array()).toString("latin1");
      return buffer.complete();
    },
  });
  const session = umlWith([ports.device, simple], ["virtio_console"]);
  /** Which of the two is found first is the kernel's business. */
  let terminals = { multiport: "", simple: "" };
  /** Keeps a terminal open from now on: without that it has no size, and does not hear of one. */
  const hold = async (terminal: string): Promise<void> => {
    await session.guest.run(`rm -f /tmp/open; { >/tmp/open; exec sleep 1000; } <>${terminal} >/dev/null 2>&1 &`);
    await session.guest.until("[ -e /tmp/open ]");
  };

  it("is asked which ports there are, and sets each up", async () => {
    const { guest } = session;
    await until(() => ports.ready.has(CONSOLE) && ports.ready.has(CHANNEL));
    await guest.until("[ -e /sys/class/virtio-ports/vport0p1/name ]");
    expect(await guest.run("cat /sys/class/virtio-ports/vport0p1/name")).toBe("org.example.channel");
    expect((await guest.run("ls /sys/class/virtio-ports")).split("\n")).toEqual(["vport0p0", "vport0p1", "vport1p0"]);
    // Of the terminals that there can be, two are there.
    for (const terminal of ["/dev/hvc0", "/dev/hvc1"]) await guest.run(`echo this is ${terminal} >${terminal}`);
    await until(() => typed !== "" && ports.ports[CONSOLE]?.written.length !== 0);
    const [first, second] = ["/dev/hvc0", "/dev/hvc1"];
    terminals = typed.includes(first) ? { multiport: second, simple: first } : { multiport: first, simple: second };
    expect(typed).toBe(`this is ${terminals.simple}\r\n`);
    expect(ports.take(CONSOLE).toString()).toBe(`this is ${terminals.multiport}\r\n`);
    expect((await guest.attempt("echo nothing >/dev/hvc2")).output).toContain("No such device");
  });

  it("is a terminal: lines go in, programs answer", async () => {
    const { guest } = session;
    const { multiport } = terminals;
    const lines = guest.run(`stty -echo <${multiport}; head -n 2 ${multiport}`);
    await guest.until("pidof head");
    await ports.send(CONSOLE, Buffer.from("hello from the host\nand again\n"));
    expect(await lines).toBe("hello from the host\nand again");
    const line = guest.run(`head -n 1 ${terminals.simple}`);
    await guest.until("pidof head");
    // The terminal's own editing is done before the line is read: a delete takes what is before it.
    simple.receiveq.send({ data: Buffer.from("yess\x7f\n") });
    expect(await line).toBe("yes");
  });

  it("has the size that a control message says", async () => {
    const { guest } = session;
    await hold(terminals.multiport);
    ports.resize(CONSOLE, 132, 43);
    await guest.until(`[ "$(stty -F ${terminals.multiport} size)" = "43 132" ]`);
  });

  it("has the size that the configuration says, without control messages", async () => {
    const { guest } = session;
    await hold(terminals.simple);
    simple.config.update({ cols: 100, rows: 40 });
    await guest.until(`[ "$(stty -F ${terminals.simple} size)" = "40 100" ]`);
  });

  it("carries a MiB each way through a port that is no terminal", async () => {
    const { guest } = session;
    const there = randomBytes(MIB);
    const reading = guest.run(`head -c ${MIB} /dev/vport0p1 | sha256sum`);
    await until(() => ports.ports[CHANNEL]?.opened === 1);
    await ports.send(CHANNEL, there);
    expect(await reading).toBe(`${sha256(there)}  -`);
    await until(() => ports.ports[CHANNEL]?.closed === 1);

    await guest.run(`head -c ${MIB} /dev/urandom >/tmp/back && cat /tmp/back >/dev/vport0p1`);
    await until(() => ports.ports[CHANNEL]?.written.length === MIB);
    expect(await guest.run("sha256sum </tmp/back")).toBe(`${sha256(ports.take(CHANNEL))}  -`);
    expect(ports.ports[CHANNEL]).toMatchObject({ opened: 2, closed: 2 });
  });

  it("tells programs when the host hangs up", async () => {
    const { guest } = session;
    ports.open(CHANNEL, false);
    // Nobody is there to read from: that is the end of the file, at once.
    await guest.until("[ $(cat /dev/vport0p1 | wc -c) = 0 ]");
    ports.open(CHANNEL, true);
    const { opened } = ports.ports[CHANNEL] ?? { opened: NaN };
    const reading = guest.run("head -c 5 /dev/vport0p1");
    // What comes before anybody has opened it is thrown away.
    await until(() => ports.ports[CHANNEL]?.opened === opened + 1);
    await ports.send(CHANNEL, Buffer.from("again"));
    expect(await reading).toBe("again");
  });

  it("takes ports that come and lets go of those that go, while it runs", async () => {
    const { guest } = session;
    ports.add(LATER);
    await guest.until("[ -e /sys/class/virtio-ports/vport0p2/name ]");
    expect(await guest.run("cat /sys/class/virtio-ports/vport0p2/name")).toBe("org.example.later");
    await guest.run("echo it works >/dev/vport0p2");
    await until(() => ports.ports[LATER]?.written.length === 9);
    ports.remove(LATER);
    await guest.until("[ ! -e /dev/vport0p2 ]");
    // And the others go on.
    await guest.run("echo still >/dev/vport0p1");
    await until(() => ports.ports[CHANNEL]?.written.toString() === "still\n");
    ports.add(LATER);
    await until(() => ports.ready.has(LATER));
  });

  it("is let go of and taken anew", async () => {
    const { guest } = session;
    ports.ready.clear();
    await guest.run("killall sleep");
    const device = await guest.run("basename $(readlink /sys/class/virtio-ports/vport0p1/device)");
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_console/unbind`);
    await guest.until("[ ! -e /dev/vport0p1 ]");
    await guest.run(`echo ${device} >/sys/bus/virtio/drivers/virtio_console/bind`);
    await until(() => ports.ready.has(CONSOLE) && ports.ready.has(CHANNEL));
    await guest.until("ls /dev/vport*p1");
    ports.take(CHANNEL);
    await guest.run("echo anew >$(ls /dev/vport*p1)");
    await until(() => ports.ports[CHANNEL]?.written.toString() === "anew\n");
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
