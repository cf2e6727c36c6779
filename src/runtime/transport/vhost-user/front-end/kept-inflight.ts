import { closeSync, fstatSync, writeSync } from "node:fs";
import {
  closeAll,
  decodePayload,
  encodePayload,
  inflightBytes,
  inflightPartBytes,
  VhostUserError,
  type InflightArea,
} from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";

/**
 * The inflight region: a file in which the back end writes down what it has in flight, kept for the one that comes after
 * it. It is the back end's file, which it may cut short at any time, so it is not mapped here. Owns its descriptor.
 */
export class KeptInflight {
  readonly #area: InflightArea;
  readonly #fd: number;
  readonly #isPacked: boolean;

  private constructor(area: InflightArea, fd: number, isPacked: boolean) {
    this.#area = area;
    this.#fd = fd;
    this.#isPacked = isPacked;
  }

  /**
   * Asks for a region for `queues` rings of up to `queueSize` entries.
   * @throws VhostUserError when what comes is none; the connection is over then.
   */
  static async ask(link: BackEndLink, queues: number, queueSize: number, isPacked: boolean): Promise<KeptInflight> {
    const wanted = encodePayload("inflight", { size: 0, offset: 0, queues, queueSize });
    const answer = await link.channel.ask("GET_INFLIGHT_FD", wanted, { answered: 1 });
    const [fd = -1] = answer.fds;
    try {
      const area = decodePayload("inflight", answer);
      check(area, { queues, queueSize }, isPacked, fd);
      return new KeptInflight(area, fd, isPacked);
    } catch (error) {
      closeAll(answer.fds);
      if (error instanceof VhostUserError) link.end(error);
      throw error;
    }
  }

  /** Gives the region to a back end, before any ring is started. */
  async give(link: BackEndLink): Promise<void> {
    await link.channel.tell("SET_INFLIGHT_FD", this.#area, [this.#fd]);
  }

  /** Nothing is in flight on a ring any more, whatever the back end has written down: its queue was reset. */
  forget(index: number): void {
    const { offset, queues, queueSize } = this.#area;
    if (index >= queues) return;
    // Whatever room there is to spare is behind the last part.
    const part = inflightPartBytes(queueSize, this.#isPacked);
    try {
      writeSync(this.#fd, new Uint8Array(part), 0, part, offset + index * part);
    } catch (error) {
      throw new VhostUserError("inflight-size", String(error), { cause: error });
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function check(
  { size, offset, queues, queueSize }: InflightArea,
  asked: { readonly queues: number; readonly queueSize: number },
  isPacked: boolean,
  fd: number,
): void {
  if (queues !== asked.queues || queueSize !== asked.queueSize) {
    const text = `for ${queues} rings of ${queueSize}, not ${asked.queues} of ${asked.queueSize}`;
    throw new VhostUserError("inflight-size", text);
  }
  const needed = inflightBytes(queues, queueSize, isPacked);
  // A little more is no harm; what is much more is nothing that anybody wants to keep.
  if (size < needed || size > 2 * needed + mostSpareBytes) {
    throw new VhostUserError("inflight-size", `${size} bytes, ${needed} are needed`);
  }
  const found = fstatSync(fd);
  if (!found.isFile()) throw new VhostUserError("descriptor", "the inflight region is not in a file");
  if (offset + size > found.size) {
    throw new VhostUserError("inflight-size", `${size} bytes at ${offset} of a file of ${found.size}`);
  }
}

const mostSpareBytes = 1 << 16;
