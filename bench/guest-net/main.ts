/**
 * TCP from a Linux guest to a program of the host: through QEMU's own card and its user-mode network, and through a generated
 * card over vhost-user whose wire leads to passt. Both in one guest, by turns.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Guest } from "../../test/interop/linux/guest.js";
import { median, serveNetwork, startPasst } from "../shared/processes.js";
import { benchArguments } from "../shared/arguments.js";

const usage = `Usage: npm run bench:guest-net [-- --json] [-- --mib N] [-- --rounds N]

  --json      print an array of results
  --mib N     MiB to send in each measurement (default 64)
  --rounds N  measurements of each card, by turns; the median counts (default 5)
`;

const cards = [
  { card: "qemu, user-mode network", device: "eth0", guest: "10.0.2.15", host: "10.0.2.2" },
  { card: "virtio-gen, passt", device: "eth1", guest: "10.0.3.15", host: "10.0.3.2" },
] as const;

/** One line of the result. */
interface Result {
  readonly card: string;
  readonly mebibytesPerSecond: number;
  readonly ratioToQemu: number;
}

const { json, mib, rounds } = benchArguments(usage, { mib: 64, rounds: 5 });
const folder = mkdtempSync(join(tmpdir(), "virtio-gen-bench-"));
const [wire, socket] = [join(folder, "passt.sock"), join(folder, "card.sock")];
const server = createServer((connection) => {
  let bytes = 0;
  connection.on("data", (data) => (bytes += data.length));
  connection.on("end", () => {
    if (bytes !== mib << 20) connection.destroy();
    else connection.end();
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const stops: (() => Promise<void>)[] = [];
try {
  const passt = await startPasst(wire, cards[1].guest, cards[1].host);
  stops.push(() => passt.stop());
  const card = await serveNetwork(wire, socket);
  stops.push(() => card.stop());
  const devices = [
    ...["-netdev", "user,id=own", "-device", "virtio-net-pci,netdev=own,vectors=0,romfile="],
    ...["-chardev", `socket,id=gen,path=${socket}`, "-netdev", "vhost-user,id=gen,chardev=gen"],
    ...["-device", "virtio-net-pci,netdev=gen,vectors=0,romfile="],
  ];
  const guest = await Guest.start({ devices, modules: ["virtio_net"] });
  stops.push(() => guest.close());
  for (const { device, guest: address } of cards) {
    await guest.run(`ip addr add ${address}/24 dev ${device} && ip link set ${device} up`);
  }
  const rates = new Map<string, number[]>(cards.map(({ device }) => [device, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { device, host } of cards) {
      const start = performance.now();
      await guest.run(`stream send ${host} ${port} ${mib << 20}`, 300);
      if (round >= 0) rates.get(device)?.push((mib * 1000) / (performance.now() - start));
    }
  }
  const rate = (device: string): number => median(rates.get(device) ?? []);
  const results = cards.map(({ card: name, device }): Result => ({
    card: name,
    mebibytesPerSecond: rate(device),
    ratioToQemu: rate(device) / rate("eth0"),
  }));
  if (json) {
    console.log(JSON.stringify(results, undefined, 2));
  } else {
    for (const { card: name, mebibytesPerSecond, ratioToQemu } of results) {
      console.log(
        `${name.padEnd(28)}${mebibytesPerSecond.toFixed(1).padStart(8)} MiB/s ${ratioToQemu.toFixed(2).padStart(8)}`,
      );
    }
  }
} finally {
  for (const stop of stops.reverse()) await stop();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
