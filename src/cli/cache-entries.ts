import type { EmittedFile } from "../emit/typescript/index.js";
import type { ModelCounts } from "./summary.js";

/** What is stored in a cache. It is read as `unknown`: another program may have written it. */

/** Of a file, by its text. */
export interface FileFacts {
  readonly imports: readonly string[];
  /** Names, of `core` too. */
  readonly devices: readonly string[];
  /** It declares something that other files can use. */
  readonly isCommon: boolean;
}

/** What a build made of a file, or of all common ones. */
export interface StoredUnit {
  readonly devices: readonly { readonly name: string; readonly id: number | null }[];
  readonly counts: ModelCounts;
  readonly outputs: readonly EmittedFile[];
}

export function isFileFacts(value: unknown): value is FileFacts {
  return (
    isRecord(value) &&
    isListOf(value["imports"], isText) &&
    isListOf(value["devices"], isText) &&
    typeof value["isCommon"] === "boolean"
  );
}

export function isStoredUnit(value: unknown): value is StoredUnit {
  return (
    isRecord(value) &&
    isListOf(value["devices"], (device) => isRecord(device) && isText(device["name"]) && isIdentifier(device["id"])) &&
    isRecord(value["counts"]) &&
    ["devices", "features", "structs"].every((key) => isRecord(value["counts"]) && isNumber(value["counts"][key])) &&
    isListOf(value["outputs"], (file) => isRecord(file) && isText(file["path"]) && isText(file["text"]))
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every((item: unknown) => isItem(item));
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

function isIdentifier(value: unknown): boolean {
  return value === null || isNumber(value);
}
