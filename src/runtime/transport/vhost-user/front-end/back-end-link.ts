import { FeatureSet } from "../../../negotiation/feature-set.js";
import type { SystemCalls, UnixSocket, Watcher } from "../../posix/index.js";
import { decodePayload, encodePayload, ProtocolFeature, VhostFeature, VhostUserError } from "../protocol/index.js";
import { BackEndRequests } from "./back-end-requests.js";
import { FrontEndChannel } from "./front-end-channel.js";

export interface LinkOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** For how long the back end may think about a request, in milliseconds. */
  readonly patience: number;
  /** Protocol features that are used if they are offered. */
  readonly wanted: FeatureSet;
  readonly onConfigChange: () => void;
  /** Told once, when nothing more can come of this back end. */
  readonly onEnd: (link: BackEndLink, error: VhostUserError) => void;
}

/** Memory that a back end is given, where the driver has it. In bytes. */
export interface GivenMemory {
  readonly start: number;
  readonly size: number;
  readonly fd: number;
}

/** The connection to one back end, and what was agreed on with it. Owns the socket. */
export class BackEndLink {
  readonly channel: FrontEndChannel;
  readonly #options: LinkOptions;
  #offered = FeatureSet.none;
  #protocolFeatures = FeatureSet.none;
  #queues: number | undefined;
  #requests: BackEndRequests | undefined;

  constructor(socket: UnixSocket, options: LinkOptions) {
    this.#options = options;
    this.#queues = undefined;
    this.#requests = undefined;
    const { watcher, patience } = options;
    this.channel = new FrontEndChannel(socket, {
      watcher,
      patience,
      onEnd: (error) => {
        this.#requests?.close();
        options.onEnd(this, error);
      },
    });
  }

  /** Why nothing more can be asked; undefined while it can. */
  get ended(): VhostUserError | undefined {
    return this.channel.ended;
  }
  /** Features of the device, with those of the protocol. */
  get offered(): FeatureSet {
    return this.#offered;
  }
  /** What was agreed on. */
  get protocolFeatures(): FeatureSet {
    return this.#protocolFeatures;
  }
  /** As GET_QUEUE_NUM says it, if that can be asked. */
  get queues(): number | undefined {
    return this.#queues;
  }
  get hasProtocolFeatures(): boolean {
    return this.#offered.has(VhostFeature.PROTOCOL_FEATURES);
  }
  has(feature: number): boolean {
    return this.#protocolFeatures.has(feature);
  }

  /** Agrees with the back end on what the protocol can do, and hands it the memory. */
  async greet({ start, size, fd }: GivenMemory): Promise<void> {
    const { channel } = this;
    const { system, watcher, wanted, onConfigChange } = this.#options;
    await channel.tell("SET_OWNER", undefined);
    this.#offered = featuresOf(await channel.askFor("u64", "GET_FEATURES"));
    if (this.hasProtocolFeatures) {
      this.#protocolFeatures = featuresOf(await channel.askFor("u64", "GET_PROTOCOL_FEATURES")).and(wanted);
      await channel.tell("SET_PROTOCOL_FEATURES", bitsOf(this.#protocolFeatures));
    }
    channel.acknowledges = this.has(ProtocolFeature.REPLY_ACK);
    if (this.has(ProtocolFeature.MQ)) this.#queues = Number(await channel.askFor("u64", "GET_QUEUE_NUM"));
    if (this.has(ProtocolFeature.BACKEND_REQ)) {
      const requests = new BackEndRequests(system, watcher, onConfigChange);
      this.#requests = requests;
      await channel.tell("SET_BACKEND_REQ_FD", undefined, [requests.theirs.fd]);
      requests.theirs.close();
    }
    const place = { guestAddress: start, userAddress: start, fileOffset: 0, size };
    await channel.tell("SET_MEM_TABLE", [place], [fd]);
  }

  /** SET_FEATURES, with those of the protocol that are always on. `isLogged`: what is written is to be marked in the log. */
  async setFeatures(features: FeatureSet, isLogged: boolean): Promise<void> {
    const { PROTOCOL_FEATURES, LOG_ALL } = VhostFeature;
    const own = FeatureSet.of(isLogged ? [PROTOCOL_FEATURES, LOG_ALL] : [PROTOCOL_FEATURES]).and(this.#offered);
    await this.channel.tell("SET_FEATURES", bitsOf(features.or(own)));
  }

  /** The first bytes of the configuration; fewer if there are no more, or none can be read. */
  async readConfig(length: number): Promise<Uint8Array> {
    if (!this.has(ProtocolFeature.CONFIG)) return new Uint8Array(0);
    // From the start on: there are back ends that take the offset for 0.
    const wanted = encodePayload("config", { offset: 0, flags: 0, bytes: new Uint8Array(length) });
    const answer = await this.channel.ask("GET_CONFIG", wanted);
    // Nothing at all is how a back end refuses.
    if (answer.payload.length === 0) return new Uint8Array(0);
    try {
      return decodePayload("config", answer).bytes;
    } catch (error) {
      throw error instanceof VhostUserError ? this.channel.end(error) : error;
    }
  }

  /** Ends the connection. Safe to call twice. */
  end(error: VhostUserError): void {
    this.channel.end(error);
  }
}

function featuresOf(bits: bigint): FeatureSet {
  return FeatureSet.fromWords([Number(bits & 0xffff_ffffn), Number(bits >> 32n)]);
}
function bitsOf(features: FeatureSet): bigint {
  return (BigInt(features.word(1)) << 32n) | BigInt(features.word(0));
}
