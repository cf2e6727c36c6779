const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "it does not exist",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EEXIST: "it exists already",
  ENOTEMPTY: "it is a folder that is not empty",
  ELOOP: "its symbolic links go round in a circle",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "no space is left",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  EIO: "the storage reports an error",
};

/** Why a call to the file system failed, for people; `undefined` if it is not an error of the file system. */
export function fileErrorReason(error: unknown): string | undefined {
  const code = fileErrorCode(error);
  return code === undefined ? undefined : (reasons[code] ?? code);
}

/** `ENOENT` and the like. */
export function fileErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  // The file system refuses such a path before it looks for it.
  if (error.code === "ERR_INVALID_ARG_VALUE") return "ENOENT";
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** Why it failed; errors that do not come from the file system are thrown on. */
export function reasonOrThrow(error: unknown): string {
  const reason = fileErrorReason(error);
  if (reason === undefined) throw error;
  return reason;
}
