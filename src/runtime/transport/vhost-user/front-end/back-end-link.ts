import { FeatureSet } from "../../../negotiation/feature-set.js";
import type { SystemCalls, UnixSocket, Watcher } from "../../posix/index.js";
import { decodePayload, encodePayload, ProtocolFeature, VhostFeature, VhostUserError } from "../protocol/index.js";
import { BackEndRequests, type BackEndEvents } from "./back-end-requests.js";
import { FrontEndChannel } from "./front-end-channel.js";
import { giveMemory, MEMORY_SLOTS, NEEDED_BY_MEMORY_SLOTS, type GivenMemory } from "./given-memory.js";
import { InbandKicks } from "./inband-kicks.js";

export interface LinkOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** For how long the back end may think about a request, in milliseconds. */
  readonly patience: number;
  /** Protocol features that are used if they are offered. */
  readonly wanted: FeatureSet;
  readonly onConfigChange: () => void;
  /** See {@link BackEndEvents}: notifications as messages. */
  readonly onCall: (ring: number) => boolean;
  readonly onFailure: (ring: number) => boolean;
  /** Told once, when nothing more can come of this back end. */
  readonly onEnd: (link: BackEndLink, error: VhostUserError) => void;
}

/** What INBAND_NOTIFICATIONS is nothing without. */
const NEEDED_INBAND = FeatureSet.of([ProtocolFeature.BACKEND_REQ, ProtocolFeature.REPLY_ACK]);
const INBAND = FeatureSet.of([ProtocolFeature.INBAND_NOTIFICATIONS]);

/** The connection to one back end, and what was agreed on with it. Owns the socket. */
export class BackEndLink {
  readonly channel: FrontEndChannel;
  readonly #options: LinkOptions;
  readonly #kicks: InbandKicks;
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
    this.#kicks = new InbandKicks(this.channel);
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
  /** Notifications are messages. */
  get isInband(): boolean {
    return this.has(ProtocolFeature.INBAND_NOTIFICATIONS);
  }

  /** Kicks a ring by a message. */
  kick(ring: number): void {
    this.#kicks.kick(ring);
  }
  /** No such message comes after what is sent next, until there is another {@link kick}. */
  forgetKick(ring: number): void {
    this.#kicks.forget(ring);
  }

  /** Agrees with the back end on what the protocol can do, and hands it the memory. */
  async greet(memory: GivenMemory): Promise<void> {
    const { channel } = this;
    const { system, watcher, wanted } = this.#options;
    await channel.tell("SET_OWNER", undefined);
    this.#offered = featuresOf(await channel.askFor("u64", "GET_FEATURES"));
    if (this.hasProtocolFeatures) {
      const both = featuresOf(await channel.askFor("u64", "GET_PROTOCOL_FEATURES")).and(wanted);
      this.#protocolFeatures = both
        .without(NEEDED_INBAND.without(both).isEmpty ? FeatureSet.none : INBAND)
        .without(NEEDED_BY_MEMORY_SLOTS.without(both).isEmpty ? FeatureSet.none : MEMORY_SLOTS);
      await channel.tell("SET_PROTOCOL_FEATURES", bitsOf(this.#protocolFeatures));
    }
    channel.acknowledges = this.has(ProtocolFeature.REPLY_ACK);
    if (this.has(ProtocolFeature.MQ)) this.#queues = Number(await channel.askFor("u64", "GET_QUEUE_NUM"));
    if (this.has(ProtocolFeature.BACKEND_REQ)) {
      // It may have gone with its last answer, and then nobody closes what is made now.
      if (this.ended !== undefined) throw this.ended;
      const requests = new BackEndRequests(system, watcher, this.#events());
      this.#requests = requests;
      await channel.tell("SET_BACKEND_REQ_FD", undefined, [requests.theirs.fd]);
      requests.theirs.close();
    }
    await giveMemory(this, memory);
  }

  #events(): BackEndEvents {
    const { onConfigChange, onCall, onFailure } = this.#options;
    return {
      onConfigChange,
      onCall: (ring) => this.isInband && onCall(ring),
      onFailure: (ring) => this.isInband && onFailure(ring),
      onEnd: (error) => {
        // Without this connection there are no news of the configuration, which can be borne, and no calls by messages.
        if (this.isInband) this.end(error);
      },
    };
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
