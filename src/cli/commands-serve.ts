import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import type { Wanted } from "../serve/index.js";
import type { ExitCode } from "./exit-code.js";
import type { Io } from "./io.js";

/** A whole number of an option, from `least` to `most`. */
function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

/** The size of a split queue, as QEMU has it. */
function powerOfTwo(text: string): number {
  const size = numberFrom(4, 1024)(text);
  if ((size & (size - 1)) === 0) return size;
  throw new InvalidArgumentError("Write a power of two.");
}

const mostQueues = 64;

/** Adds `serve` and what it can serve. */
export function describeServe(program: Command, io: Io, done: (exitCode: ExitCode) => void): void {
  const serve = program
    .command("serve")
    .summary("serve a device to QEMU, over vhost-user")
    .description(
      "Makes a virtio device of something on this machine and serves it to QEMU over vhost-user, until Ctrl-C.\n" +
        "Prints the arguments that attach QEMU to it. Needs Linux, and koffi.",
    )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen serve blk --image disk.img
  virtio-gen serve fs --directory src --tag code
  virtio-gen serve net --peer /tmp/passt.socket`,
    );

  /** `options` adds a subcommand's options and returns what reads them when it runs. */
  function add(name: Wanted["kind"], summary: string, options: (command: Command) => () => Wanted): void {
    const command = serve.command(name).summary(summary);
    command.description(`${summary[0]?.toUpperCase() ?? ""}${summary.slice(1)}.`);
    const wanted = options(command);
    command
      .option("-s, --socket <path>", "the socket that QEMU connects to", `${name}.sock`)
      .action(async ({ socket }: { readonly socket: string }) => {
        const { serveCommand } = await import("./command-serve.js");
        done(await serveCommand(wanted(), path(socket), io));
      });
  }

  const path = (text: string): string => resolve(io.cwd, text);
  const queues = (command: Command, what = "request queues"): Command =>
    command.option("--queues <number>", `number of ${what}`, numberFrom(1, mostQueues), 1);

  add("blk", "a disk whose sectors are in a file; SIGHUP makes it look at the file's size again", (command) => {
    queues(command)
      .requiredOption("-i, --image <file>", "the file, or a block device")
      .option("--queue-size <entries>", "entries of a queue, a power of two; QEMU has to know, too", powerOfTwo, 128)
      .option("--workers <number>", "threads that the queues are spread over", numberFrom(0, mostQueues), 0)
      .option("--read-only", "refuse to write");
    return () => {
      const flags = command.opts<{
        image: string;
        readOnly?: boolean;
        queues: number;
        queueSize: number;
        workers: number;
      }>();
      const { queues: count, queueSize, workers, readOnly = false } = flags;
      return { kind: "blk", image: path(flags.image), readOnly, queues: count, queueSize, workers };
    };
  });
  add("net", "a network card whose wire is a stream socket, such as that of passt", (command) => {
    queues(command, "pairs of queues")
      .requiredOption("-p, --peer <path>", "the socket to connect to")
      .option("--mac <address>", "its address (default: QEMU chooses)")
      .option("--mtu <bytes>", "largest packet without its Ethernet header", numberFrom(68, 65_535), 1500);
    return () => {
      const flags = command.opts<{ peer: string; mac?: string; mtu: number; queues: number }>();
      return { kind: "net", peer: path(flags.peer), mac: flags.mac, mtu: flags.mtu, queues: flags.queues };
    };
  });
  add("rng", "a source of random bytes", (command) => {
    command.option("-f, --from <file>", "where they come from (default: the system's generator)");
    return () => {
      const { from } = command.opts<{ from?: string }>();
      return { kind: "rng", from: from === undefined ? undefined : path(from) };
    };
  });
  add("input", "a keyboard and mouse, for QEMU with KVM; events are lines: type, code, value, or `sync`", (command) => {
    command.option("-e, --events <file>", "where events come from; - is the standard input", "-");
    return () => {
      const { events } = command.opts<{ events: string }>();
      return { kind: "input", events: events === "-" ? events : path(events) };
    };
  });
  add("vsock", "sockets between guest and host, by way of Unix sockets", (command) => {
    command
      .option("--path <path>", "port P of the host is the socket <path>_P; the host calls the guest at <path>", "vsock")
      .option("--cid <number>", "context id of the guest", numberFrom(3, 0xffff_fffe), 3);
    return () => {
      const flags = command.opts<{ path: string; cid: number }>();
      return { kind: "vsock", path: path(flags.path), cid: flags.cid };
    };
  });
  add("crypto", "a crypto accelerator: AES, hashes and HMACs by node:crypto", () => () => ({ kind: "crypto" }));
  add("fs", "a folder that the guest can mount: mount -t virtiofs TAG /mnt", (command) => {
    queues(command)
      .requiredOption("-d, --directory <folder>", "the folder")
      .option("-t, --tag <name>", "what the guest mounts", "virtio-gen")
      .option("--read-only", "refuse to write");
    return () => {
      const flags = command.opts<{ directory: string; tag: string; readOnly?: boolean; queues: number }>();
      const { tag, readOnly = false } = flags;
      return { kind: "fs", directory: path(flags.directory), tag, readOnly, queues: flags.queues };
    };
  });
}
