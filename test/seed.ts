import fc from "fast-check";

/**
 * What is random is the same in every run, so that no run fails for what another one did not try. Set TEST_SEED to another
 * number to look further. Imported for what it does, by each test that uses fast-check.
 */
export const seed = Number(process.env["TEST_SEED"] ?? 1_000_003);

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
