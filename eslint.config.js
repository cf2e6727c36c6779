import tseslint from "typescript-eslint";

/** What a room may not import. Data goes one way: dsl -> language -> model -> emit -> generated -> runtime. */
function room(folder, forbidden, { node = false, parts = ["**"] } = {}) {
  const patterns = forbidden.map((other) => ({
    regex: `(^|/)${other}/`,
    message: `${folder} does not import ${other} (see CONTRIBUTING.md, "The rooms").`,
  }));
  if (!node) patterns.push({ regex: "^node:", message: `${folder} runs in a browser too: no node: modules.` });
  return {
    files: parts.map((part) => `src/${folder}/${part}/*.ts`),
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
}

const notForRuntime = ["diagnostics", "language", "model", "emit", "cli", "compiler", "generated", "probe", "serve"];
/** Transports to programs and files outside; each is an entry point of its own. */
const nodeTransports = ["qtest", "posix", "vhost-user"];

/** A dependency is imported in one place, so that it can be replaced in one place. */
const onlyIn = {
  chevrotain: "src/language",
  commander: "src/cli",
  koffi: "src/runtime/transport/posix",
};

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test/types", "coverage"] },
  { files: ["**/*.ts"], extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked] },
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/prefer-for-of": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      eqeqeq: "error",
    },
  },
  {
    files: ["test/**/*.ts", "bench/**/*.ts", "examples/**/*.ts"],
    rules: { "@typescript-eslint/no-empty-function": "off", "@typescript-eslint/no-unsafe-assignment": "off" },
  },
  {
    // The emitter writes one form for all requests, where some would do without.
    files: ["generated/**/*.ts", "examples/*/generated/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unnecessary-type-assertion": "off",
      // An overload that all members of a union share can be called on the union; in one signature it could not.
      "@typescript-eslint/unified-signatures": "off",
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "max-lines": ["warn", { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  room("diagnostics", ["language", "model", "emit", "runtime", "cli", "compiler", "generated"]),
  room("language", ["model", "emit", "runtime", "cli", "compiler", "generated"]),
  room("model", ["emit", "runtime", "cli", "compiler", "generated"]),
  room("emit", ["language", "runtime", "cli", "compiler", "generated"]),
  room("compiler", ["runtime", "cli", "generated"]),
  room("runtime", notForRuntime),
  room("runtime", notForRuntime, { node: true, parts: nodeTransports.map((name) => `transport/${name}/**`) }),
  // It runs generated drivers; the command loads it when it is asked for, and imports nothing else of the kind.
  room("probe", ["diagnostics", "language", "model", "emit", "cli", "compiler"], { node: true }),
  room("serve", ["diagnostics", "language", "model", "emit", "cli", "compiler", "probe"], { node: true }),
  room("cli", ["runtime", "generated"], { node: true }),
  ...Object.entries(onlyIn).map(([dependency, folder]) => ({
    files: ["src/**/*.ts"],
    ignores: [`${folder}/**`],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: `ImportDeclaration[source.value='${dependency}']`,
          message: `${dependency} is imported in ${folder} only.`,
        },
      ],
    },
  })),
);
