/** What can be made of a model: TypeScript or a C header, one file a device, or the model itself as JSON. */
export const emitTargets = ["ts", "json", "c"] as const;
export type EmitTarget = (typeof emitTargets)[number];
