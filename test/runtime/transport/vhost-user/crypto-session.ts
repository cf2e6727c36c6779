import type { CryptoDevice } from "../../../../generated/crypto.js";
import type { ServeOptions } from "../../../../src/runtime/transport/vhost-user/index.js";
import type { SymmetricSession } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { serveDevice } from "./served-device.js";

export const key = Uint8Array.from({ length: 16 }, (_, index) => index);

/** A session of AES-CBC that encrypts. */
export const cbc: SymmetricSession = {
  kind: "symmetric",
  cipher: 3,
  hash: 0,
  hashResultLength: 0,
  aadLength: 0,
  operation: 1,
  direction: 1,
  hashMode: 0,
  chainOrder: 0,
  cipherKey: key,
  authKey: new Uint8Array(0),
};

/** A crypto device behind a socket, gone when the test ends; and what anybody complained of, as text. */
export async function serveCrypto(
  device: CryptoDevice,
  options: Partial<ServeOptions> = {},
): Promise<{ readonly path: string; readonly told: readonly string[] }> {
  const told: string[] = [];
  const note = (error: Error | undefined): void => {
    if (error !== undefined) told.push(error.message);
  };
  device.onProtocolError = note;
  const { path } = await serveDevice(device, { ...options, onError: note, onDisconnect: note });
  return { path, told };
}
