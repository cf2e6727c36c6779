import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Colour on a terminal, plain text in a pipe; NO_COLOR and FORCE_COLOR decide otherwise. */
const colour =
  process.env["NO_COLOR"] === undefined && (process.env["FORCE_COLOR"] !== undefined || process.stdout.isTTY);

export function paint(style: Style, text: string): string {
  return colour ? styleText(style, text) : text;
}

export function heading(text: string): void {
  console.log(`\n${paint("bold", text)}`);
}

export function line(label: string, text: string): void {
  console.log(`  ${paint("cyan", label.padEnd(10))} ${text}`);
}

/** `16.0 MiB`. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** At most `limit` bytes in hexadecimal, then an ellipsis. */
export function hex(bytes: Uint8Array, limit = 16): string {
  const shown = Array.from(bytes.subarray(0, limit), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return bytes.length > limit ? `${shown} …` : shown;
}
