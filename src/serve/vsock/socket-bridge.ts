import { connect, createServer, type Server, type Socket } from "node:net";
import { existsSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { VsockDevice, type VsockHdr, type VsockPacketBuffer } from "../../../generated/vsock.js";
import { isSocketFile } from "../../runtime/transport/posix/index.js";
import { fileProblem, ServeError, type ServedDevice, type ServedDeviceOptions } from "../served-device.js";
import { Connection, packetHeader, type ConnectionPlace, type PacketSink } from "./connection.js";

const HOST = 2n;
const MOST_CONNECTIONS = 1024;
/** Refusals that wait for a buffer of the guest; more than these are dropped. */
const MOST_REFUSALS = 256;
/** Longest first line of a program of the host. */
const LONGEST_CALL = 32;
/** How long the guest has to answer the end of a connection, or a call, in milliseconds. */
const PATIENCE = 8000;
/** Ports of the host for calls: above those that programs choose themselves. */
const FIRST_HOST_PORT = 2 ** 30;

export interface SocketBridgeOptions extends ServedDeviceOptions {
  /** Where programs of the host call the guest: they connect and send `CONNECT <port>` and a line feed. */
  readonly path: string;
  /** The guest's context id, 3 or more. */
  readonly guestCid: number;
}

/**
 * Sockets between guest and host. A guest that connects to port P of the host (CID 2) reaches whoever listens on the Unix
 * socket `<path>_<P>`. A program of the host connects to `<path>`, sends `CONNECT <port>` and a line feed, and gets `OK
 * <its port>` and a line feed when the guest has accepted; Firecracker and others do likewise.
 *
 * @throws ServeError when the socket cannot be made.
 */
export async function openSocketBridge(options: SocketBridgeOptions): Promise<ServedDevice> {
  const bridge = new Bridge(options);
  await bridge.listen();
  return bridge;
}

class Bridge implements ServedDevice, PacketSink {
  readonly device: VsockDevice;
  readonly unit = "packets";
  readonly guestCid: bigint;
  served = 0;
  readonly #options: SocketBridgeOptions;
  readonly #server: Server;
  readonly #connections = new Map<string, Connection>();
  readonly #refusals: ConnectionPlace[] = [];
  readonly #calls = new Set<Socket>();
  #nextPort = FIRST_HOST_PORT;

  constructor(options: SocketBridgeOptions) {
    if (!Number.isInteger(options.guestCid) || options.guestCid < 3 || options.guestCid >= 0xffff_ffff) {
      throw new ServeError(`a guest's context id is a number from 3 to 4294967294, not ${options.guestCid}`);
    }
    this.#options = options;
    this.guestCid = BigInt(options.guestCid);
    this.device = new VsockDevice({
      ...(options.features && { features: options.features }),
      config: { guestCid: this.guestCid },
      tx: (buffer) => this.#receive(buffer),
      queueReset: () => this.#forgetAll(),
    });
    this.device.onProtocolError = options.onError;
    this.device.rx.onAvailable = () => this.#flush();
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#answerCall(socket));
  }

  async listen(): Promise<void> {
    const { path } = this.#options;
    // Node says EACCES when there is no such folder.
    if (!existsSync(dirname(path))) throw new ServeError(`${path}: there is no such folder`);
    try {
      await this.#bind(path);
    } catch (error) {
      if (!(await isAbandoned(path))) throw fileProblem(path, error);
      unlinkSync(path);
      await this.#bind(path);
    }
  }

  #bind(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  get room(): number {
    return this.device.rx.room;
  }
  send(packet: Parameters<PacketSink["send"]>[0]): boolean {
    if (!this.device.rx.send(packet)) return false;
    this.served++;
    return true;
  }

  async close(): Promise<void> {
    this.#forgetAll();
    for (const socket of this.#calls) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  // ---- from the guest ----

  #receive(buffer: VsockPacketBuffer): ReturnType<VsockPacketBuffer["complete"]> {
    this.served++;
    const { hdr } = buffer;
    const place = { guestPort: hdr.srcPort, hostPort: hdr.dstPort };
    // Packets in the name of somebody else are dropped (5.10.6.4.1).
    if (hdr.srcCid === this.guestCid && hdr.dstCid === HOST) {
      if (hdr.type === "STREAM") this.#take(place, hdr, buffer);
      else if (hdr.op !== "RST") this.#refuse(place);
    }
    return buffer.complete();
  }

  #take(place: ConnectionPlace, hdr: VsockHdr, buffer: VsockPacketBuffer): void {
    const key = keyOf(place);
    const connection = this.#connections.get(key);
    if (connection === undefined) {
      if (hdr.op === "REQUEST") this.#connect(place, hdr);
      else if (hdr.op !== "RST") this.#refuse(place);
      return;
    }
    connection.credit(hdr);
    switch (hdr.op) {
      case "RESPONSE":
        connection.accepted();
        break;
      case "RW":
        // A copy: the guest may change the buffer, and the socket may keep it for a while.
        if (!connection.isOpen || !connection.receive(buffer.data.toUint8Array())) {
          this.#break(place, connection);
          return;
        }
        break;
      case "CREDIT_UPDATE":
        break;
      case "CREDIT_REQUEST":
        connection.askedForCredit();
        break;
      case "SHUTDOWN":
        if (!connection.guestShutDown(hdr.flags)) break;
        this.#connections.delete(key);
        connection.end();
        this.#refuse(place);
        return;
      case "RST":
        this.#connections.delete(key);
        connection.end();
        return;
      default: {
        this.#break(place, connection);
        return;
      }
    }
    connection.flush();
  }

  /** The guest calls a port of the host. */
  #connect(place: ConnectionPlace, hdr: VsockHdr): void {
    if (this.#connections.size >= MOST_CONNECTIONS) {
      this.#refuse(place);
      return;
    }
    const socket = connect({ path: `${this.#options.path}_${place.hostPort}`, allowHalfOpen: true });
    const connection = new Connection(this, place, socket);
    connection.credit(hdr);
    this.#keep(place, connection, socket);
    socket.once("connect", () => connection.accept());
  }

  #break(place: ConnectionPlace, connection: Connection): void {
    this.#connections.delete(keyOf(place));
    connection.destroy();
    this.#refuse(place);
  }

  // ---- from the host ----

  /** A program of the host has connected: its first line says what to. */
  #answerCall(socket: Socket): void {
    this.#calls.add(socket);
    socket.once("close", () => this.#calls.delete(socket));
    socket.on("error", () => undefined);
    let line = "";
    const patience = setTimeout(() => socket.destroy(), PATIENCE);
    const read = (): void => {
      for (let byte = readByte(socket); byte !== undefined; byte = readByte(socket)) {
        line += byte;
        if (byte !== "\n" && line.length <= LONGEST_CALL) continue;
        clearTimeout(patience);
        socket.off("readable", read);
        this.#call(socket, /^CONNECT (\d{1,10})\r?\n$/.exec(line)?.[1]);
        return;
      }
    };
    socket.on("readable", read);
    socket.once("close", () => clearTimeout(patience));
  }

  #call(socket: Socket, port: string | undefined): void {
    const guestPort = Number(port);
    if (
      port === undefined ||
      guestPort > 0xffff_ffff ||
      this.#connections.size >= MOST_CONNECTIONS ||
      !this.device.live
    ) {
      socket.destroy();
      return;
    }
    const place = { guestPort, hostPort: this.#nextPort };
    this.#nextPort = this.#nextPort === 2 ** 31 ? FIRST_HOST_PORT : this.#nextPort + 1;
    const connection = new Connection(this, place, socket);
    connection.onAccepted = () => socket.write(`OK ${place.hostPort}\n`);
    this.#keep(place, connection, socket);
    connection.call();
  }

  // ---- both ----

  /** Keeps a connection, and takes it away when it has neither become one nor ended in time. */
  #keep(place: ConnectionPlace, connection: Connection, socket: Socket): void {
    const key = keyOf(place);
    this.#connections.set(key, connection);
    const give = (): void => {
      if (this.#connections.get(key) !== connection || connection.isOpen) return;
      this.#break(place, connection);
    };
    const opening = setTimeout(give, PATIENCE);
    opening.unref();
    socket.once("close", () => {
      clearTimeout(opening);
      // Never was one: the guest hears at once. Otherwise it is told of the end, and has time to answer.
      if (connection.wasOpen) setTimeout(give, PATIENCE).unref();
      else give();
    });
  }

  #refuse(place: ConnectionPlace): void {
    if (this.#refusals.length < MOST_REFUSALS) this.#refusals.push(place);
    this.#flush();
  }

  #flush(): void {
    for (let place = this.#refusals[0]; place !== undefined; place = this.#refusals[0]) {
      if (!this.send({ hdr: packetHeader(this.guestCid, place, "RST"), data: new Uint8Array(0) })) return;
      this.#refusals.shift();
    }
    for (const connection of this.#connections.values()) connection.flush();
  }

  #forgetAll(): void {
    for (const connection of this.#connections.values()) connection.destroy();
    this.#connections.clear();
    this.#refusals.length = 0;
  }
}

function keyOf({ guestPort, hostPort }: ConnectionPlace): string {
  return `${guestPort} ${hostPort}`;
}

function readByte(socket: Socket): string | undefined {
  const byte: unknown = socket.read(1);
  return byte instanceof Uint8Array ? String.fromCharCode(byte[0] ?? 0) : undefined;
}

/** Is it a socket that a program left behind, so that nobody listens there? */
function isAbandoned(path: string): Promise<boolean> {
  if (!isSocketFile(path)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
