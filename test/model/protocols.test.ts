import { describe, expect, it } from "vitest";
import { restrictToVersion } from "../../src/compiler/spec-version.js";
import { compile, deviceOf, findings } from "./inline.js";

const messages = `
features { REMOVE = 0; }
config { le32 streams; le32 status; }
enum Command : le32 { SET = 0; START = 1; STOP = 2; PAUSE = 3 since 1.3; }
enum Status : u8 { OK = 0; BAD = 1; }
request Control {
  readable { Command command; le32 stream; }
  match command { SET => readable { le32 rate; } START, STOP => {} PAUSE since 1.3 => {} }
  writable { le32 echoed; Status status; }
}
struct Packet { le16 op; le32 length; }
queues { controlq : request Control; rxq : receive Packet; }
`;

function of(body: string) {
  return deviceOf(messages + body);
}
function said(body: string): readonly string[] {
  const { found } = compile(`device demo = 42 {\n${messages}\n${body}\n}`);
  return found.map(({ message }) => message);
}

describe("protocols", () => {
  it("have states, steps by kinds of requests, and a key", () => {
    const [protocol] = of(`protocol Stream per stream where stream < config.streams by driver {
      state NEW; state READY; state RUNNING since 1.3;
      on Control.SET : NEW, READY => READY;
      on Control.START, Control.STOP if rate > 0 : any;
      on Control.PAUSE since 1.3 : READY => RUNNING;
      on config.status by device if REMOVE : any => NEW;
      on "unplugged" : any => NEW;
    }`).protocols;
    expect(protocol).toMatchObject({ name: "Stream", key: ["stream"], by: "driver", limit: "stream < config.streams" });
    expect(protocol?.states.map(({ name }) => name)).toEqual(["NEW", "READY", "RUNNING"]);
    expect(protocol?.transitions.map(({ events, from, to }) => ({ events, from, to }))).toEqual([
      {
        events: [{ kind: "message", message: "Control", kinds: ["SET"], variants: ["Set"] }],
        from: ["NEW", "READY"],
        to: "READY",
      },
      {
        events: [
          { kind: "message", message: "Control", kinds: ["START"], variants: ["StartStop"] },
          { kind: "message", message: "Control", kinds: ["STOP"], variants: ["StartStop"] },
        ],
        from: ["any"],
        to: null,
      },
      {
        events: [{ kind: "message", message: "Control", kinds: ["PAUSE"], variants: ["Pause"] }],
        from: ["READY"],
        to: "RUNNING",
      },
      { events: [{ kind: "config", path: ["status"] }], from: ["any"], to: "NEW" },
      { events: [{ kind: "other", text: "unplugged" }], from: ["any"], to: "NEW" },
    ]);
    expect(protocol?.transitions[1]?.condition).toBe("rate > 0");
  });

  it("count in formulas over counters and fields", () => {
    const [protocol] = of(`protocol Credit {
      counter sent : le32 = sent + length on Packet by driver if op == 5;
      counter room : le32 = length on Packet;
      keep sent <= room;
    }`).protocols;
    expect(protocol?.counters.map(({ name, type, value }) => [name, type, value])).toEqual([
      ["sent", "le32", "sent + length"],
      ["room", "le32", "length"],
    ]);
    expect(protocol?.invariants).toMatchObject([{ condition: "sent <= room" }]);
  });

  it.each([
    ["on Control.SET : NEW => GONE;", "unknown state of P GONE"],
    ["on Control.SET : GONE => NEW;", "unknown state of P GONE"],
    ["on Control.SET : NEW => any;", "unknown state of P any"],
    ["on Control.SETT : NEW;", "unknown kind of Control SETT"],
    ["on Controll : NEW;", "unknown request or message Controll"],
    ["on Command : NEW;", "expected a request or the struct of a message, but Command is an enum"],
    ["on config.nothing : NEW;", "unknown config field nothing"],
    ["on Control by nobody : NEW;", "unknown side nobody"],
    ["on Control per rate : NEW;", "unknown field of Control rate"],
    ["on Control if nothing : NEW;", "unknown name nothing"],
    ["on Control if op == 1 : NEW;", "unknown name op"],
    ["state NEW;", "state NEW is declared twice"],
    ["counter c : Packet = 1 on Packet;", "expected an integer type, but Packet is a struct"],
    ["learns rate on Packet;", "unknown field of Packet rate"],
    ["keep length > 0;", "unknown name length"],
  ])("%s is one mistake", (member, message) => {
    expect(said(`protocol P { state NEW; ${member} }`)).toEqual([message]);
  });

  it("need a key that every message has", () => {
    expect(said("protocol P per stream { state NEW; on Packet : NEW; }")).toEqual(["unknown field of Packet stream"]);
  });

  it("have no state that nothing leads to, be it round in a circle", () => {
    const text = `protocol P { state A; state B; state C; on Control.SET : B => C; on Packet : C => B; }`;
    expect(said(text)).toEqual([
      "nothing leads to the state B of P from A, where it begins",
      "nothing leads to the state C of P from A, where it begins",
    ]);
  });

  it("are declared in devices, once", () => {
    expect(findings("protocol P { state A; }")).toEqual(["only-in-device@1"]);
    expect(said("protocol P { state A; } protocol P { state A; }")).toEqual(["protocol P is declared twice"]);
    expect(said("protocol P { }")).toEqual(["protocol P needs a state, a counter or something that it learns"]);
  });

  it("lose the states and steps that came later", () => {
    const { model } = compile(`device demo = 42 {\n${messages}
      protocol P { state A; state B since 1.3; on Control.SET since 1.3 : A => B; on Control.SET : A, B => A; } }`);
    const [protocol] = restrictToVersion(model, "1.2").devices[0]?.protocols ?? [];
    expect(protocol?.states.map(({ name }) => name)).toEqual(["A"]);
    expect(protocol?.transitions.map(({ from, to }) => ({ from, to }))).toEqual([{ from: ["A"], to: "A" }]);
  });
});

describe("answers", () => {
  it("are rules over the fields of the request and of what is written", () => {
    const [answers] = of(`answers Control {
      status = BAD for SET if rate == 0;
      may status = BAD if "out of memory";
      echo echoed = stream;
      late if stream > 3 per stream;
      used ignored;
      short readable = zeros;
      short status = BAD;
      only status if status != OK;
    }`).answers;
    expect(
      answers?.rules.map(({ verb, field, value, meaning, source, kinds }) => [
        verb,
        field,
        value,
        meaning,
        source,
        kinds,
      ]),
    ).toEqual([
      ["status", ["status"], "BAD", null, null, ["SET"]],
      ["status", ["status"], "BAD", null, null, []],
      ["echo", ["echoed"], null, null, ["stream"], []],
      ["late", null, null, null, null, []],
      ["used", null, null, "ignored", null, []],
      ["short", ["readable"], null, "zeros", null, []],
      ["short", ["status"], "BAD", null, null, []],
      ["only", ["status"], null, null, null, []],
    ]);
    expect(answers?.rules[0]?.variants).toEqual(["Set"]);
    expect(answers?.rules[0]?.valueTree).toEqual({ op: "number", value: 1 });
    expect(answers?.rules.map(({ strength }) => strength).slice(0, 2)).toEqual(["must", "may"]);
    expect(answers?.rules[1]).toMatchObject({ conditionTree: null, conditionText: "out of memory" });
    expect(answers?.rules[3]).toMatchObject({ condition: "stream > 3", per: ["stream"] });
  });

  it.each([
    ["status = WORSE;", "unknown member of Status WORSE"],
    ["state = BAD;", "unknown field of Control state"],
    ["status = BAD for GONE;", "unknown kind of Control GONE"],
    ["status = BAD if gone;", "unknown name gone"],
    ["echo echoed;", "rule echo needs two fields, as in `echo answer.id = id`"],
    ["echo echoed = gone;", "unknown field of Control gone"],
    ["used sometimes;", "unknown rule sometimes"],
    ["short writable = torn;", "unknown rule torn"],
    ["late status;", "rule late needs no field"],
    ["only status;", "rule only needs a field and an `if`"],
    ["only gone if status != OK;", "unknown field of Control gone"],
    ["ordered per gone;", "unknown field of Control gone"],
  ])("%s is one mistake", (rule, message) => {
    expect(said(`answers Control { ${rule} }`)).toEqual([message]);
  });

  it("tell the answer's fields from the request's where both parts have the name", () => {
    const { answers, protocols } = deviceOf(`
      enum Kind : le32 { GET = 0; SET = 1; }
      struct Head { Kind kind; le32 id; }
      struct Tail { le32 status; le32 id; }
      request R { readable { Head head; } writable { Tail head; } }
      queues { q : request R; }
      answers R {
        echo head.id = head.id if head.kind == GET;
        only head if head.status != 0;
      }
      protocol P per head.id {
        state A;
        on R if head.kind == GET : A;
        on R by device if head.status == 0 : A;
      }`);
    const rules = answers[0]?.rules.map(({ field, source, conditionTree }) => ({ field, source, conditionTree }));
    expect(rules).toMatchObject([
      { field: ["head", "id"], source: ["head", "id"], conditionTree: { left: { scope: "readable" } } },
      { field: ["head"], source: null, conditionTree: { left: { scope: "self" } } },
    ]);
    expect(protocols[0]?.transitions.map(({ conditionTree }) => conditionTree)).toMatchObject([
      { left: { scope: "readable", path: ["head", "kind"] } },
      { left: { scope: "self", path: ["head", "status"] } },
    ]);
  });

  it("belong to a message that exists", () => {
    expect(said("answers Controll { used exact; }")).toEqual(["unknown request or message Controll"]);
  });
});
