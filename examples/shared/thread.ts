import { Worker } from "node:worker_threads";

/** Starts a thread from a TypeScript source. Node 20 does not hand the loader of the main thread on to others. */
export function startThread(source: URL, workerData?: unknown): Worker {
  const loader = import.meta.resolve("tsx/esm/api");
  const program = `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(source.href)});
  });`;
  return new Worker(program, { eval: true, workerData, execArgv: ["--conditions=virtio-gen-source"] });
}
