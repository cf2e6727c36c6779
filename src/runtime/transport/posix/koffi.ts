import type * as Koffi from "koffi";

/** Foreign functions of the C library; the one place that loads koffi. */
export type ForeignLibrary = (typeof Koffi)["default"];

let loading: Promise<ForeignLibrary | undefined> | undefined;

/** koffi, or undefined where it is not installed: it is an optional dependency. */
export function loadKoffi(): Promise<ForeignLibrary | undefined> {
  loading ??= import("koffi").then(
    (module) => module.default,
    () => undefined,
  );
  return loading;
}
