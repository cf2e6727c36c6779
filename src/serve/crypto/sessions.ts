import type { CryptoControl, CryptoStatus } from "../../../generated/crypto.js";
import { cipherOf, hashOf, macOf, type Cipher, type Digest } from "./algorithms.js";

/** What a driver has set up, and refers to by a number. */
export type CryptoSession =
  | { readonly service: "cipher"; readonly cipher: Cipher }
  | {
      readonly service: "chain";
      readonly cipher: Cipher;
      readonly digest: Digest;
      /** The digest is that of the data before the cipher has changed it. */
      readonly digestsFirst: boolean;
    }
  | { readonly service: "digest"; readonly digest: Digest };

/** The requests of the control queue that make a session. */
export type CreateRequest = Extract<
  CryptoControl,
  { opcode: "CIPHER_CREATE_SESSION" | "HASH_CREATE_SESSION" | "MAC_CREATE_SESSION" }
>;

/** The session that a request asks for, or why there is none. */
export function sessionFor(request: CreateRequest): CryptoSession | CryptoStatus {
  switch (request.opcode) {
    case "HASH_CREATE_SESSION":
      return digestSession(hashOf(request.opFlf.algo));
    case "MAC_CREATE_SESSION":
      return digestSession(macOf(request.opFlf.algo, request.opVlf.authKey));
    case "CIPHER_CREATE_SESSION":
      switch (request.opType) {
        case "CIPHER": {
          const { algo, op } = request.opFlf.cipher;
          const cipher = cipherOf(algo, request.opVlf.cipherKey, op);
          return typeof cipher === "string" ? cipher : { service: "cipher", cipher };
        }
        case "ALGORITHM_CHAINING": {
          const { cipherHdr, algoFlf, algChainOrder } = request.opFlf.chain;
          const { cipherKey, authKey } = request.opVlf;
          const cipher = cipherOf(cipherHdr.algo, cipherKey, cipherHdr.op);
          if (typeof cipher === "string") return cipher;
          if (typeof algChainOrder === "number") return "ERR";
          const digest = chainDigest(algoFlf, authKey);
          if (digest === "NOTSUPP") return digest;
          return { service: "chain", cipher, digest, digestsFirst: algChainOrder === "HASH_THEN_CIPHER" };
        }
        default:
          return "NOTSUPP";
      }
  }
}

type ChainAlgorithm = Extract<CreateRequest, { opType: "ALGORITHM_CHAINING" }>["opFlf"]["chain"]["algoFlf"];

function chainDigest(algorithm: ChainAlgorithm, key: Uint8Array): Digest | "NOTSUPP" {
  switch (algorithm?.kind) {
    case "PLAIN":
      return hashOf(algorithm.hash.algo);
    case "AUTH":
      return macOf(algorithm.mac.algo, key);
    default:
      return "NOTSUPP";
  }
}

function digestSession(digest: Digest | "NOTSUPP"): CryptoSession | "NOTSUPP" {
  return digest === "NOTSUPP" ? digest : { service: "digest", digest };
}
