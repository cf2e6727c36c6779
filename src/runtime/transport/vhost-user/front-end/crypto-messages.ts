import {
  decodePayload,
  encodePayload,
  ProtocolFeature,
  VhostUserError,
  type CryptoSession,
} from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";

/** CREATE_CRYPTO_SESSION: the number of the session; undefined if there is none. */
export async function createCryptoSession(link: BackEndLink, session: CryptoSession): Promise<bigint | undefined> {
  check(link);
  const layout = session.kind === "symmetric" ? "symmetric" : "tagged";
  const payload = encodePayload("cryptoSession", { layout, id: 0n, session });
  const { id } = decodePayload("cryptoSession", await link.channel.ask("CREATE_CRYPTO_SESSION", payload));
  return id < 0n ? undefined : id;
}

/** CLOSE_CRYPTO_SESSION. False: there is no such session. */
export async function closeCryptoSession(link: BackEndLink, id: bigint): Promise<boolean> {
  check(link);
  try {
    await link.channel.tell("CLOSE_CRYPTO_SESSION", id);
    return true;
  } catch (error) {
    if (error instanceof VhostUserError && error.rule === "refused") return false;
    throw error;
  }
}

function check(link: BackEndLink): void {
  if (!link.has(ProtocolFeature.CRYPTO_SESSION)) throw new VhostUserError("not-negotiated", "CRYPTO_SESSION");
}
