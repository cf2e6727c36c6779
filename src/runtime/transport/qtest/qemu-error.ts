/** QEMU could not be started, died, or said something that its protocol does not have. */
export class QemuError extends Error {
  override readonly name = "QemuError";
  /** What QEMU printed, as far as it is known. */
  readonly output: string;

  constructor(message: string, output = "", options?: ErrorOptions) {
    super(output === "" ? message : `${message}\nQEMU printed:\n${output.trimEnd()}`, options);
    this.output = output;
  }
}
