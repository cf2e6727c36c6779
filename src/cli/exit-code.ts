/** What the command ends with. */
export const ExitCode = {
  /** Done, and nothing wrong. */
  OK: 0,
  /** Errors were found, or what is on disk is not what it should be. */
  ERRORS: 1,
  /** The command was used in a way that makes no sense. */
  USAGE: 2,
  /** A mistake in virtio-gen itself (EX_SOFTWARE of sysexits.h). */
  INTERNAL: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command was used wrongly in a way that only shows once it runs. The message goes to the user as it is. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
