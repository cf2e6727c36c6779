import type { EventModel, ProtocolModel } from "../../model/device-model.js";
import { code, nothing, paragraphs, propertyKey, quoted, joined, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";

/** States and the steps between them, as tables for whoever keeps track of them: devices, monitors, tests. */
export function protocolDeclarations(scope: DeviceScope): Code {
  return paragraphs(scope.device.protocols.map((protocol) => protocolDeclaration(protocol, scope)));
}

/** Names that these declarations take, without the device's prefix. */
export function protocolNames(protocols: readonly ProtocolModel[]): readonly string[] {
  return protocols.flatMap(({ name }) => [`${name}State`, `${name}Protocol`]);
}

function protocolDeclaration(protocol: ProtocolModel, scope: DeviceScope): Code {
  const { states } = protocol;
  const [initial] = states;
  if (initial === undefined) return nothing;
  const name = scope.prefix + protocol.name;
  const all = states.map((state) => state.name);
  const steps = new Map<string, Map<string, Set<string>>>();
  for (const { events, from, to } of protocol.transitions) {
    for (const event of events.map(eventName)) {
      const row = steps.get(event) ?? new Map<string, Set<string>>();
      steps.set(event, row);
      for (const state of from.includes("any") ? all : from) {
        row.set(state, (row.get(state) ?? new Set<string>()).add(to ?? state));
      }
    }
  }
  const key = protocol.key === null ? "" : `One for each \`${protocol.key.join(".")}\`.`;
  const rows = [...steps].map(([event, row]) => {
    const cells = [...row].map(
      ([state, next]) => code`${propertyKey(state)}: [${joined([...next].map(quoted), ", ")}]`,
    );
    return code`${propertyKey(event)}: { ${joined(cells, ", ")} },`;
  });
  return paragraphs([
    code`${docComment({ doc: protocol.doc, spec: protocol.spec }, key)}export const ${name}Protocol = {
      /** Where it begins. */
      initial: ${quoted(initial.name)},
      states: {
        ${states.map((state) => code`${docComment({ doc: state.doc })}${propertyKey(state.name)}: ${quoted(state.name)},`)}
      },
      /** What may follow on an event, by the state before it; where a state is missing, the event may not happen. */
      steps: { ${rows} },
    } as const;`,
    code`/** A state of {@link ${name}Protocol}. */
      export type ${name}State = keyof typeof ${name}Protocol.states;`,
  ]);
}

function eventName(event: EventModel): string {
  switch (event.kind) {
    case "message":
      return [event.message, ...event.kinds].join(".");
    case "config":
      return `config.${event.path.join(".")}`;
    case "other":
      return event.text;
  }
}
