import { describe, expect, it } from "vitest";
import { NotificationQueue } from "../../../src/runtime/transport/loopback/notification-queue.js";

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("NotificationQueue", () => {
  it("delivers later, in order, and once for several of the same", async () => {
    const seen: number[] = [];
    const queue = new NotificationQueue((notification) => seen.push(notification));
    for (const notification of [3, 1, 3, 2, 1]) queue.send(notification);
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual([3, 1, 2]);
    queue.send(3);
    await Promise.resolve();
    expect(seen).toEqual([3, 1, 2, 3]);
  });

  it("delivers what is sent from a delivery in the next round", async () => {
    const seen: number[] = [];
    const queue = new NotificationQueue((notification) => {
      seen.push(notification);
      if (notification < 3) queue.send(notification + 1);
      if (notification === 1) queue.send(1);
      if (seen.length > 20) throw new Error("no end");
      if (seen.filter((other) => other === 1).length > 2) queue.drop(1);
    });
    queue.send(1);
    await turn();
    expect(seen.slice(0, 5)).toEqual([1, 2, 1, 3, 2]);
  });

  it("gives the event loop its turns", async () => {
    let delivered = 0;
    let stopped = false;
    const queue = new NotificationQueue((notification) => {
      delivered++;
      if (!stopped) queue.send(notification);
    });
    queue.send(0);
    await turn();
    expect(delivered).toBeGreaterThan(0);
    expect(delivered).toBeLessThan(10_000);
    stopped = true;
  });

  it("forgets what is dropped or cleared, also in the middle of a round", async () => {
    const seen: number[] = [];
    const queue = new NotificationQueue((notification) => {
      seen.push(notification);
      if (notification === 1) queue.drop(3);
      if (notification === 5) queue.clear();
    });
    for (const notification of [1, 2, 3, 4]) queue.send(notification);
    queue.drop(2);
    await turn();
    expect(seen).toEqual([1, 4]);
    for (const notification of [5, 6]) queue.send(notification);
    await turn();
    expect(seen).toEqual([1, 4, 5]);
    queue.send(6);
    queue.clear();
    queue.send(7);
    await turn();
    expect(seen).toEqual([1, 4, 5, 7]);
  });

  it("goes on after a delivery that throws", async () => {
    const seen: number[] = [];
    const failures: unknown[] = [];
    const listener = (error: unknown): void => void failures.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", listener);
    const queue = new NotificationQueue((notification) => {
      if (notification === 0) throw new Error("listener");
      seen.push(notification);
    });
    queue.send(0);
    await turn();
    queue.send(1);
    await turn();
    process.off("uncaughtException", listener);
    for (const other of others) process.on("uncaughtException", other);
    expect(failures).toHaveLength(1);
    expect(seen).toEqual([1]);
  });
});
