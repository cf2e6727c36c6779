/** What can be made of a model: TypeScript, one file a device, or the model itself as JSON. */
export const emitTargets = ["ts", "json"] as const;
export type EmitTarget = (typeof emitTargets)[number];
