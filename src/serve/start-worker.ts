import { Worker } from "node:worker_threads";

/**
 * Starts a Worker from a module beside this one. From the sources it needs the loader of the main thread, which Node 20 does
 * not hand on to Workers.
 */
export function startWorker(name: string, workerData: unknown): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL(`${name}.js`, import.meta.url), { workerData });
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const module = JSON.stringify(new URL(`${name}.ts`, import.meta.url).href);
  const program = `import(${loader}).then(({ register }) => {
    register();
    return import(${module});
  });`;
  return new Worker(program, { eval: true, workerData, execArgv: ["--conditions=virtio-gen-source"] });
}
