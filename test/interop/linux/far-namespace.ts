import type { GuestCommands } from "./guest-commands.js";

/** In front of a command of the guest's: it sees the card that {@link moveFar} has moved. */
export const FAR = "nsenter -t $(cat /tmp/far) -n";

/** Moves a card of the guest's to a network namespace of its own, so that what the guest sends to itself has to go through devices. */
export async function moveFar(guest: GuestCommands, card: string): Promise<void> {
  await guest.run("unshare -n sleep 100000 >/dev/null 2>&1 & echo $! >/tmp/far");
  await guest.until('[ "$(readlink /proc/$(cat /tmp/far)/ns/net)" != "$(readlink /proc/self/ns/net)" ]');
  await guest.run(`ip link set ${card} netns $(cat /tmp/far)`);
}
