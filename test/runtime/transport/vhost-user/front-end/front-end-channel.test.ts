import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { loadSystemCalls, UnixSocket } from "../../../../../src/runtime/transport/posix/index.js";
import { FrontEndChannel } from "../../../../../src/runtime/transport/vhost-user/front-end/front-end-channel.js";
import {
  encodePayload,
  frontEndTable,
  MessageChannel,
  type FrontEndRequest,
  type VhostUserError,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { requireVhostUser } from "../served-device.js";

const PATIENCE = 1000;

describe.runIf(await requireVhostUser())("a channel to a back end", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  async function pair(patience = PATIENCE) {
    const [ours, theirs] = UnixSocket.pair(await loadSystemCalls());
    const ends: VhostUserError[] = [];
    let readable = (): void => undefined;
    const watch = (_: number, onReadable: () => void) => {
      readable = onReadable;
      return { close: () => undefined };
    };
    const channel = new FrontEndChannel(ours, {
      watcher: { watch },
      patience,
      onEnd: (error) => void ends.push(error),
    });
    const peer = new MessageChannel(theirs, frontEndTable, "requests");
    onTestFinished(() => {
      theirs.close();
      ours.close();
    });
    /** The back end answers the next request. */
    const answer = (name: FrontEndRequest, payload: Uint8Array): void => {
      expect(peer.receive()?.name).toBe(name);
      peer.reply(name, payload);
      readable();
    };
    return { channel, ends, answer };
  }
  const base = (index: number): Uint8Array => encodePayload("vringState", { index, num: 0 });
  const stop = (channel: FrontEndChannel, index: number) => channel.askFor("vringState", "GET_VRING_BASE", base(index));

  it("has patience with each request from when those before it are answered", async () => {
    const { channel, ends, answer } = await pair();
    const stopped = [0, 1, 2].map((index) => stop(channel, index));
    for (const index of [0, 1, 2]) {
      vi.advanceTimersByTime(PATIENCE - 1);
      answer("GET_VRING_BASE", base(index));
    }
    expect(await Promise.all(stopped)).toEqual([0, 1, 2].map((index) => ({ index, num: 0 })));
    // Nothing waits any more.
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2 * PATIENCE);
    expect(ends).toEqual([]);
  });

  it("has none with a request after that", async () => {
    const { channel, ends, answer } = await pair();
    const [first, second, third] = [0, 1, 2].map((index) => stop(channel, index));
    vi.advanceTimersByTime(PATIENCE - 1);
    answer("GET_VRING_BASE", base(0));
    await first;
    vi.advanceTimersByTime(PATIENCE - 1);
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ends).toMatchObject([{ rule: "unanswered", detail: "GET_VRING_BASE, for 1000 ms" }]);
    await expect(second).rejects.toMatchObject({ rule: "unanswered" });
    await expect(third).rejects.toMatchObject({ rule: "unanswered" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has it without end, if it is told so", async () => {
    const { channel, ends, answer } = await pair(Infinity);
    const stopped = stop(channel, 0);
    vi.advanceTimersByTime(24 * 3600 * 1000);
    expect(ends).toEqual([]);
    answer("GET_VRING_BASE", base(0));
    expect(await stopped).toEqual({ index: 0, num: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is at an end when an acknowledgement is none", async () => {
    const { channel, ends, answer } = await pair();
    channel.acknowledges = true;
    const told = channel.tell("SET_VRING_NUM", { index: 0, num: 8 });
    answer("SET_VRING_NUM", new Uint8Array(4));
    await expect(told).rejects.toMatchObject({ rule: "payload-size" });
    expect(ends).toMatchObject([{ rule: "payload-size" }]);
    await expect(channel.tell("SET_OWNER", undefined)).rejects.toMatchObject({ rule: "payload-size" });
  });

  it("goes on when a request is refused", async () => {
    const { channel, ends, answer } = await pair();
    channel.acknowledges = true;
    const told = channel.tell("SET_VRING_NUM", { index: 0, num: 8 });
    answer("SET_VRING_NUM", encodePayload("u64", 1n));
    await expect(told).rejects.toMatchObject({ rule: "refused" });
    expect(ends).toEqual([]);
  });
});
