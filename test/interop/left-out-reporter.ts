import type { Reporter, TestModule } from "vitest/node";

/** Says at the end of a run which suites were left out because something outside of the project is missing. */
export default class LeftOutReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests("skipped")].flatMap((test) => {
        const { leftOut } = test.meta();
        return leftOut === undefined ? [] : [`left out: ${module.relativeModuleId} needs ${leftOut}`];
      }),
    );
    if (lines.length > 0)
      console.log(`${lines.sort().join("\n")}\nVIRTIO_GEN_INTEROP=required makes these failures.\n`);
  }
}
