import { expect, test } from "vitest";
import { qemuArguments, qemuCommand, servedKinds } from "../../src/serve/qemu-line.js";

test("a device over a character device, with memory that is shared", () => {
  expect(qemuCommand({ kind: "blk", socket: "/run/disk.sock", properties: ["num-queues=4"] })).toBe(
    [
      "qemu-system-x86_64 \\",
      "  -m 512M \\",
      "  -object memory-backend-memfd,id=mem,size=512M,share=on -numa node,memdev=mem \\",
      "  -chardev socket,id=blk,path=/run/disk.sock,reconnect=1 \\",
      "  -device vhost-user-blk-pci,chardev=blk,num-queues=4",
    ].join("\n"),
  );
});

test("a network card is a network device with a back end", () => {
  const words = qemuArguments({ kind: "net", socket: "/n", pairs: 2, memory: 64 }).flat();
  expect(words).toContain("vhost-user,id=n,chardev=net,queues=2");
  expect(words).toContain("virtio-net-pci,netdev=n,mq=on,vectors=0,romfile=");
  expect(words).toContain("64M");
});

test("a crypto device has an engine, which QEMU cannot lose and find again", () => {
  const words = qemuArguments({ kind: "crypto", socket: "/c" }).flat();
  expect(words).toContain("socket,id=crypto,path=/c");
  expect(words).toContain("cryptodev-vhost-user,id=engine,chardev=crypto");
  expect(words).toContain("virtio-crypto-pci,cryptodev=engine,vectors=0");
});

test("paths are absolute, and odd ones reach QEMU whole", () => {
  const [, , chardev] = qemuArguments({ kind: "rng", socket: "odd,name" });
  expect(chardev?.[1]).toMatch(/^socket,id=rng,path=\/.*\/odd,,name,reconnect=1$/);
  expect(qemuCommand({ kind: "rng", socket: "/it's here" })).toContain(
    `'socket,id=rng,path=/it'\\''s here,reconnect=1'`,
  );
});

test("every kind has a front end", () => {
  for (const kind of servedKinds) expect(qemuCommand({ kind, socket: "/s" })).toMatch(/-device v[\w-]+-pci,/);
});
