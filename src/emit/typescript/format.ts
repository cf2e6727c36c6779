import * as estree from "prettier/plugins/estree";
import * as typescript from "prettier/plugins/typescript";
import { format as prettier } from "prettier/standalone";

/** Lays out TypeScript as the project does. The only place in `emit/` that knows the formatter; runs in a browser. */
export async function format(text: string): Promise<string> {
  return prettier(text, { parser: "typescript", plugins: [typescript, estree], printWidth: 120 });
}
