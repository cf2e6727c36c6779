/** One step, for whoever watches. */
export function say(text: string): void {
  console.log(`-- ${text}`);
}

/** A command in the guest, and what it printed. */
export function prompt(command: string, output: string): void {
  console.log(`# ${command}`);
  if (output !== "") console.log(output);
}
