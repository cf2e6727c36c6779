import { serve as serveVhostUser, type NetworkRequests } from "../runtime/transport/vhost-user/index.js";
import { openCryptoEngine } from "./crypto/crypto-engine.js";
import { feedKeyboard } from "./event-lines.js";
import { openImageDisk } from "./image-disk.js";
import { diskWorkers, type DiskWorkers } from "./image-disk-workers.js";
import { openKeyboard } from "./keyboard.js";
import { openStreamNetwork } from "./network/stream-network.js";
import { openRandomSource } from "./random-source.js";
import { qemuCommand } from "./qemu-line.js";
import { ServeError, type ServedDevice } from "./served-device.js";
import { openSharedDirectory } from "./shared-directory.js";
import { openSocketBridge } from "./vsock/socket-bridge.js";

/** What to serve, and from what. */
export type Wanted =
  | {
      readonly kind: "blk";
      readonly image: string;
      readonly readOnly: boolean;
      readonly queues: number;
      readonly queueSize: number;
      /** Workers that the queues are spread over; 0: none. */
      readonly workers: number;
    }
  | {
      readonly kind: "net";
      readonly peer: string;
      readonly mac: string | undefined;
      readonly mtu: number;
      readonly queues: number;
    }
  | { readonly kind: "rng"; readonly from: string | undefined }
  | { readonly kind: "input"; readonly events: string }
  | { readonly kind: "vsock"; readonly path: string; readonly cid: number }
  | { readonly kind: "crypto" }
  | {
      readonly kind: "fs";
      readonly directory: string;
      readonly tag: string;
      readonly readOnly: boolean;
      readonly queues: number;
    };

export interface ServingOptions {
  /** Where QEMU connects to. */
  readonly socket: string;
  readonly onConnect: () => void;
  /** `problem`: what the other side did wrong. */
  readonly onDisconnect: (problem: Error | undefined) => void;
  readonly onError: (error: Error) => void;
}

/** A device that waits for QEMU, or serves it. */
export interface Serving {
  /** The command that attaches QEMU to it. */
  readonly qemu: string;
  /** What was served up to now, and its unit. */
  readonly served: number;
  readonly unit: string;
  /** Looks again at what it serves, where that can change: the size of an image. Says what it found. */
  refresh(): string | undefined;
  close(): Promise<void>;
}

/** What was opened, and what QEMU is to know of it. */
interface Opened {
  readonly source: ServedDevice;
  readonly properties?: readonly string[];
  readonly pairs?: number;
  readonly network?: NetworkRequests;
  readonly refresh?: () => string;
  readonly spread?: DiskWorkers;
  /** Ends what feeds the device. */
  readonly closing?: () => void;
}

/**
 * Opens a file, folder or socket of the host and serves it as a virtio device over vhost-user. Needs Linux and koffi.
 * @throws ServeError when what is to be served cannot be opened, or the socket cannot be made.
 */
export async function startServing(wanted: Wanted, options: ServingOptions): Promise<Serving> {
  const { source, properties = [], pairs = 1, network, refresh, spread, closing } = await open(wanted, options);
  const close = (): Promise<void> => {
    closing?.();
    return source.close();
  };
  try {
    const server = await serveVhostUser(source.device, {
      ...options,
      ...(network && { network }),
      ...(spread && { workers: spread.workers }),
    });
    return {
      qemu: qemuCommand({ kind: wanted.kind, socket: options.socket, properties, pairs }),
      unit: source.unit,
      get served() {
        return source.served + (spread?.served ?? 0);
      },
      refresh: () => refresh?.(),
      async close() {
        await server.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    // No koffi, not Linux, or no socket: each says what it is.
    throw error instanceof Error ? new ServeError(error.message, { cause: error }) : error;
  }
}

async function open(wanted: Wanted, { onError }: ServingOptions): Promise<Opened> {
  switch (wanted.kind) {
    case "blk": {
      const { image, readOnly, queueSize, workers } = wanted;
      const queues = Math.max(wanted.queues, workers);
      const diskOptions = { path: image, readOnly, queues, queueSize, onError };
      const disk = openImageDisk(diskOptions);
      return {
        source: disk,
        ...(workers > 0 && { spread: diskWorkers(workers, diskOptions) }),
        properties: [...(queues > 1 ? [`num-queues=${queues}`] : []), `queue-size=${queueSize}`],
        refresh: () => `${disk.resize()} sectors`,
      };
    }
    case "net": {
      const { peer, mac, mtu, queues } = wanted;
      const source = await openStreamNetwork({
        path: peer,
        mtu,
        pairs: queues,
        onError,
        ...(mac === undefined ? {} : { mac: parseMac(mac) }),
      });
      // The address and the MTU are QEMU's to tell the guest: its card reads neither from the back end.
      const network: NetworkRequests = {
        setMtu: (bytes) => {
          source.setMtu(bytes);
          return true;
        },
        announce: (address) => source.announce(address),
      };
      const properties = [...(mac === undefined ? [] : [`mac=${mac}`]), `host_mtu=${mtu}`];
      return { source, pairs: queues, network, properties };
    }
    case "rng":
      return { source: openRandomSource({ onError, ...(wanted.from === undefined ? {} : { path: wanted.from }) }) };
    case "input": {
      const keyboard = openKeyboard({ onError });
      const over = new AbortController();
      feedKeyboard(keyboard, wanted.events, onError, over.signal).catch(onError);
      return { source: keyboard, closing: () => over.abort() };
    }
    case "vsock":
      return { source: await openSocketBridge({ path: wanted.path, guestCid: wanted.cid, onError }) };
    case "crypto":
      return { source: openCryptoEngine({ onError }) };
    case "fs": {
      const { directory, tag, readOnly, queues } = wanted;
      const source = openSharedDirectory({ path: directory, tag, readOnly, queues, onError });
      return { source, properties: [`tag=${tag}`, ...(queues > 1 ? [`num-request-queues=${queues}`] : [])] };
    }
  }
}

function parseMac(text: string): Uint8Array {
  const parts = text.split(":");
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) {
    throw new ServeError(`"${text}" is no address: write six bytes, such as 02:00:00:00:00:01`);
  }
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}
