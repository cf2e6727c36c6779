/** Version of the package, as generated files name it. A test compares it with package.json. */
export const VERSION = "0.1.0";
