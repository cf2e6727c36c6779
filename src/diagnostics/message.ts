/** A message with named holes; the parameter names are part of its type, so a call site cannot forget one. */
export interface MessageTemplate<Parameter extends string> {
  readonly strings: readonly string[];
  readonly parameters: readonly Parameter[];
}

/** Writes a template: message`unknown field ${"name"}` takes `{ name }`. */
export function message<const Parameters extends readonly string[]>(
  strings: TemplateStringsArray,
  ...parameters: Parameters
): MessageTemplate<Parameters[number]> {
  return { strings: [...strings], parameters };
}

/** Values for the holes of a message. */
export type MessageValues<Parameter extends string> = Readonly<Record<Parameter, string | number | bigint>>;

/** Fills the holes in. */
export function formatMessage<Parameter extends string>(
  template: MessageTemplate<Parameter>,
  values: MessageValues<Parameter>,
): string {
  let text = template.strings[0] ?? "";
  template.parameters.forEach((parameter, index) => {
    text += String(values[parameter]) + (template.strings[index + 1] ?? "");
  });
  return text;
}
