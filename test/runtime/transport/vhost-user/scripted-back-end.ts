import { closeSync } from "node:fs";
import {
  createMemoryFile,
  EventFd,
  loadSystemCalls,
  UnixListener,
  UnixSocket,
  watcherOf,
  type SystemCalls,
  type Watch,
} from "../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  closeAll,
  decodePayload,
  encodePayload,
  frontEndTable,
  inflightBytes,
  MessageChannel,
  ProtocolFeature,
  type BackEndRequest,
  type FrontEndRequest,
  type Message,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";

/** What is sent back. The descriptors are closed after that. */
export interface ScriptedReply {
  readonly payload: Uint8Array;
  readonly fds?: readonly number[];
}
/** What a back end does when it is told something; undefined: what a good one does. */
export type Script = (
  name: FrontEndRequest,
  message: Message<FrontEndRequest>,
  connection: number,
) => ScriptedReply | "nothing" | "gone" | undefined;

const bit = (number: number): bigint => 1n << BigInt(number);

/** A back end that does what a test says, and otherwise answers everything and works on nothing. */
export class ScriptedBackEnd {
  readonly system: SystemCalls;
  script: Script = () => undefined;
  features = bit(30) | bit(32) | bit(34);
  protocolFeatures = bit(ProtocolFeature.MQ) | bit(ProtocolFeature.REPLY_ACK) | bit(ProtocolFeature.CONFIG) |
    bit(ProtocolFeature.INFLIGHT_SHMFD) | bit(ProtocolFeature.STATUS) | bit(ProtocolFeature.LOG_SHMFD); // prettier-ignore
  queues = 2n;
  config = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  /** What was asked on each connection. */
  readonly seen: Message<FrontEndRequest>[][] = [];
  /** Over which the front end can be asked; the newest. */
  asks: MessageChannel<BackEndRequest> | undefined;
  /** Keep the eventfds that come with SET_VRING_ERR. */
  keepsFailures = false;
  /** Those, as they came, until the end. */
  readonly failures: EventFd[] = [];
  readonly #listener: UnixListener;
  readonly #channels = new Set<MessageChannel<FrontEndRequest>>();
  readonly #watches = new Set<Watch>();
  #status = 0n;

  private constructor(system: SystemCalls, path: string) {
    this.system = system;
    this.asks = undefined;
    this.#listener = new UnixListener(system, path, 16);
    const watch = watcherOf(system).watch(this.#listener.fd, () => {
      for (let socket = this.#listener.accept(); socket !== undefined; socket = this.#listener.accept()) {
        this.#serve(socket);
      }
    });
    this.#watches.add(watch);
  }

  static async listen(path: string): Promise<ScriptedBackEnd> {
    return new ScriptedBackEnd(await loadSystemCalls(), path);
  }

  /** Requests of a connection, by name. */
  names(connection: number): FrontEndRequest[] {
    return (this.seen[connection] ?? []).map(({ name }) => name);
  }
  /** Answers something that the script has left without an answer. */
  reply(name: FrontEndRequest, { payload, fds = [] }: ScriptedReply): void {
    [...this.#channels].at(-1)?.reply(name, payload, fds);
  }
  /** Cuts everybody off. */
  cutOff(): void {
    for (const channel of [...this.#channels]) this.#drop(channel);
  }
  close(): void {
    for (const watch of this.#watches) watch.close();
    this.cutOff();
    this.asks?.close();
    for (const event of this.failures) event.close();
    this.#listener.close();
  }

  #serve(socket: UnixSocket): void {
    const connection = this.seen.push([]) - 1;
    const channel = new MessageChannel(socket, frontEndTable, "requests");
    this.#channels.add(channel);
    const watch = watcherOf(this.system).watch(socket.fd, () => {
      try {
        while (this.#channels.has(channel)) {
          const message = channel.receive();
          if (message === undefined) return;
          this.seen[connection]?.push(message);
          this.#answer(channel, message, connection);
          this.#keep(message);
        }
      } catch {
        this.#drop(channel);
      }
    });
    this.#watches.add(watch);
    this.#ends.set(channel, () => {
      watch.close();
      this.#watches.delete(watch);
    });
  }
  #keep({ name, fds }: Message<FrontEndRequest>): void {
    const [fd] = fds;
    if (fd !== undefined && name === "SET_BACKEND_REQ_FD") this.#listen(fd);
    else if (fd !== undefined && name === "SET_VRING_ERR" && this.keepsFailures) {
      this.failures.push(new EventFd(this.system, fd));
    } else closeAll(fds);
  }
  #listen(fd: number): void {
    this.asks?.close();
    this.asks = new MessageChannel(new UnixSocket(this.system, fd), backEndTable, "replies");
  }
  readonly #ends = new Map<MessageChannel<FrontEndRequest>, () => void>();

  #drop(channel: MessageChannel<FrontEndRequest>): void {
    this.#ends.get(channel)?.();
    this.#ends.delete(channel);
    this.#channels.delete(channel);
    channel.close();
  }

  #answer(channel: MessageChannel<FrontEndRequest>, message: Message<FrontEndRequest>, connection: number): void {
    const answer = this.script(message.name, message, connection) ?? this.#goodAnswer(message);
    if (answer === "gone") this.#drop(channel);
    else if (answer !== "nothing") {
      channel.reply(message.name, answer.payload, answer.fds);
      for (const fd of answer.fds ?? []) closeSync(fd);
    }
  }

  #goodAnswer(message: Message<FrontEndRequest>): ScriptedReply | "nothing" {
    switch (message.name) {
      case "GET_FEATURES":
        return u64(this.features);
      case "GET_PROTOCOL_FEATURES":
        return u64(this.protocolFeatures);
      case "GET_QUEUE_NUM":
        return u64(this.queues);
      case "GET_MAX_MEM_SLOTS":
        return u64(32n);
      case "SET_STATUS":
        this.#status = decodePayload("u64", message);
        return u64(0n);
      case "GET_STATUS":
        return u64(this.#status);
      case "GET_CONFIG": {
        const { offset, flags, bytes } = decodePayload("config", message);
        const found = this.config.slice(offset, offset + bytes.length);
        return { payload: encodePayload("config", { offset, flags, bytes: found }) };
      }
      case "GET_VRING_BASE":
        return { payload: message.payload };
      case "GET_INFLIGHT_FD": {
        const { queues, queueSize } = decodePayload("inflight", message);
        const size = inflightBytes(queues, queueSize, true);
        const fd = createMemoryFile(this.system, "inflight", size);
        return { payload: encodePayload("inflight", { size, offset: 0, queues, queueSize }), fds: [fd] };
      }
      default:
        return message.needReply || message.name === "SET_LOG_BASE" ? u64(0n) : "nothing";
    }
  }
}

export function u64(value: bigint): ScriptedReply {
  return { payload: encodePayload("u64", value) };
}
