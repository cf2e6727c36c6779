/**
 * `--json`, and numbers above zero by the names of `defaults`. `--help` prints `usage` and ends the process, as does what makes no
 * sense.
 */
export function benchArguments<Name extends string>(
  usage: string,
  defaults: Readonly<Record<Name, number>>,
): { readonly json: boolean } & Readonly<Record<Name, number>> {
  const numbers = new Map<string, number>(Object.entries<number>(defaults));
  let json = false;
  const words = process.argv.slice(2);
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const name = word.replace(/^--/, "");
    if (word === "--json") json = true;
    else if (word === "--help") end(usage, 0);
    else if (numbers.has(name)) numbers.set(name, Number(words[++index]));
    else end(usage, 2);
  }
  for (const number of numbers.values()) if (!(number > 0 && Number.isFinite(number))) end(usage, 2);
  const read = (name: Name): number => numbers.get(name) ?? defaults[name];
  const names = Object.keys(defaults) as Name[];
  return { json, ...(Object.fromEntries(names.map((name) => [name, read(name)])) as Record<Name, number>) };
}

function end(usage: string, code: number): never {
  (code === 0 ? process.stdout : process.stderr).write(usage);
  process.exit(code);
}
