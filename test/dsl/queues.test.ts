import { describe, expect, test } from "vitest";
import { evaluate, type Situation } from "./formulas.js";
import { theDevice, type DeviceName } from "./models.js";

/** What a driver finds at each index: `receiveq 0` is the first of an array. */
function queuesOf(name: DeviceName, features: readonly string[], config: Situation["config"]): readonly string[] {
  const situation = { features: new Set(features), config };
  const found = new Map<number, string>();
  for (const queue of theDevice(name).queues) {
    if (queue.conditionTree !== null && evaluate(queue.conditionTree, situation) === 0) continue;
    const count = evaluate(queue.countTree, situation);
    for (let k = 0; k < count; k++) {
      const index = evaluate(queue.indexTree, { ...situation, index: k });
      if (found.has(index))
        throw new Error(`${queue.name} ${k} and ${found.get(index) ?? ""} both have index ${index}`);
      found.set(index, queue.many ? `${queue.name} ${k}` : queue.name);
    }
  }
  const size = Math.max(...found.keys()) + 1;
  return Array.from({ length: size }, (_, index) => found.get(index) ?? "none");
}

function netPairs(pairs: number): string[] {
  return Array.from({ length: 2 * pairs }, (_, index) => `${index % 2 === 0 ? "receiveq" : "transmitq"} ${index >> 1}`);
}

/** All subsets of the features. */
function subsets(features: readonly string[]): readonly (readonly string[])[] {
  return features.reduce<readonly (readonly string[])[]>(
    (sets, feature) => [...sets, ...sets.map((set) => [...set, feature])],
    [[]],
  );
}

describe("queues of net", () => {
  test.each([1, 2, 3, 31])("with max_virtqueue_pairs %i", (max) => {
    for (const features of subsets(["MQ", "RSS", "CTRL_VQ"])) {
      const pairs = features.includes("MQ") || features.includes("RSS") ? max : 1;
      const control = features.includes("CTRL_VQ") ? ["controlq"] : [];
      expect(queuesOf("net", features, { max_virtqueue_pairs: max }), features.join(" ")).toEqual([
        ...netPairs(pairs),
        ...control,
      ]);
    }
  });

  test("as many as there can be", () => {
    const queues = queuesOf("net", ["CTRL_VQ", "RSS"], { max_virtqueue_pairs: 0x8000 });
    expect(queues).toHaveLength(0x10001);
    expect(queues.slice(-3)).toEqual(["receiveq 32767", "transmitq 32767", "controlq"]);
  });

  test("by hand", () => {
    expect(queuesOf("net", [], {})).toEqual(["receiveq 0", "transmitq 0"]);
    expect(queuesOf("net", ["CTRL_VQ"], {})).toEqual(["receiveq 0", "transmitq 0", "controlq"]);
    expect(queuesOf("net", ["CTRL_VQ", "MQ"], { max_virtqueue_pairs: 2 })).toEqual([
      "receiveq 0",
      "transmitq 0",
      "receiveq 1",
      "transmitq 1",
      "controlq",
    ]);
  });

  test("the smallest receive buffer", () => {
    const queue = theDevice("net").queues.find(({ name }) => name === "receiveq");
    const smallest = (...features: readonly string[]): number => {
      if (!queue?.holdsTree) throw new Error("receiveq has no `holds`");
      return evaluate(queue.holdsTree, { features: new Set(features), config: {} });
    };
    expect(smallest()).toBe(1526);
    expect(smallest("HASH_REPORT")).toBe(1534);
    for (const large of ["GUEST_TSO4", "GUEST_TSO6", "GUEST_UFO", "GUEST_USO4", "GUEST_USO6"]) {
      expect(smallest(large)).toBe(65601);
      expect(smallest(large, "HASH_REPORT")).toBe(65609);
    }
    expect(smallest("MRG_RXBUF")).toBe(12);
    expect(smallest("MRG_RXBUF", "GUEST_TSO4")).toBe(12);
    expect(smallest("MRG_RXBUF", "HASH_REPORT")).toBe(20);
    expect(smallest("MRG_RXBUF", "HOST_UDP_TUNNEL_GSO")).toBe(24);
    expect(smallest("MRG_RXBUF", "GUEST_UDP_TUNNEL_GSO")).toBe(24);
    expect(smallest("MRG_RXBUF", "OUT_NET_HEADER")).toBe(32);
    expect(smallest("MRG_RXBUF", "IPSEC")).toBe(32);
    expect(smallest("MRG_RXBUF", "IPSEC", "HASH_REPORT", "HOST_UDP_TUNNEL_GSO")).toBe(32);
  });
});

describe("queues of console", () => {
  test("without MULTIPORT", () => {
    expect(queuesOf("console", [], {})).toEqual(["receiveq 0", "transmitq 0"]);
    expect(queuesOf("console", ["SIZE", "EMERG_WRITE"], {})).toEqual(["receiveq 0", "transmitq 0"]);
  });

  test("with MULTIPORT", () => {
    const first = ["receiveq 0", "transmitq 0", "control_receiveq", "control_transmitq"];
    expect(queuesOf("console", ["MULTIPORT"], { max_nr_ports: 1 })).toEqual(first);
    expect(queuesOf("console", ["MULTIPORT"], { max_nr_ports: 2 })).toEqual([...first, "receiveq 1", "transmitq 1"]);
    const many = queuesOf("console", ["MULTIPORT"], { max_nr_ports: 31 });
    expect(many).toHaveLength(64);
    expect(many.slice(0, 8)).toEqual([...first, "receiveq 1", "transmitq 1", "receiveq 2", "transmitq 2"]);
    expect(many.slice(62)).toEqual(["receiveq 30", "transmitq 30"]);
    // Port 0 exists whatever the device says.
    expect(queuesOf("console", ["MULTIPORT"], { max_nr_ports: 0 })).toEqual(first);
  });
});

describe("queues of blk", () => {
  test("without MQ", () => {
    expect(queuesOf("blk", [], {})).toEqual(["requestq 0"]);
    expect(queuesOf("blk", ["FLUSH"], { num_queues: 4 })).toEqual(["requestq 0"]);
  });

  test("with MQ", () => {
    expect(queuesOf("blk", ["MQ"], { num_queues: 1 })).toEqual(["requestq 0"]);
    expect(queuesOf("blk", ["MQ"], { num_queues: 3 })).toEqual(["requestq 0", "requestq 1", "requestq 2"]);
  });
});

test("queues of entropy", () => {
  expect(queuesOf("entropy", [], {})).toEqual(["requestq"]);
});

test("what travels on the queues, and which way", () => {
  const roles = (name: DeviceName): readonly string[] =>
    theDevice(name).queues.map((queue) => `${queue.name} ${queue.role}`);
  expect(roles("net")).toEqual(["receiveq receive", "transmitq transmit", "controlq request"]);
  expect(roles("blk")).toEqual(["requestq request"]);
  expect(roles("console")).toEqual([
    "receiveq receive",
    "transmitq transmit",
    "control_receiveq receive",
    "control_transmitq transmit",
  ]);
  expect(roles("entropy")).toEqual(["requestq request"]);
});
