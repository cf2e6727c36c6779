import { connect } from "node:net";

/**
 * Calls a port of the guest through a socket bridge, as programs of the host do: sends bytes, and gives what comes back up to
 * the end.
 * @param path The bridge's socket.
 */
export function callGuest(path: string, port: number, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const pieces: Buffer[] = [];
    let greeting = "";
    socket.write(`CONNECT ${port}\n`);
    socket.on("data", (piece: Buffer) => {
      if (greeting.endsWith("\n")) {
        pieces.push(piece);
        return;
      }
      const end = piece.indexOf(0x0a) + 1;
      greeting += piece.toString("latin1", 0, end === 0 ? piece.length : end);
      if (!greeting.endsWith("\n")) return;
      if (!/^OK \d+\n$/.test(greeting)) reject(new Error(`the bridge says ${JSON.stringify(greeting)}`));
      if (end < piece.length) pieces.push(piece.subarray(end));
      socket.end(bytes);
    });
    socket.on("end", () => resolve(Buffer.concat(pieces)));
    socket.on("error", reject);
  });
}
