/** `npm run soak:threads [-- messages]`: ten million messages each way, for each way of waiting and of notifying. */
import type { Waiting } from "virtio-gen/runtime/threads";
import { soak } from "./soak.js";

const messages = Number(process.argv[2] ?? 10_000_000);
for (const waiting of ["blocking", "async", "polling"] as const satisfies readonly Waiting[]) {
  for (const eventIdx of [true, false]) {
    const { seconds, notifications } = await soak(messages, waiting, eventIdx);
    const scheme = eventIdx ? "event_idx" : "flags";
    const each = ((seconds * 1e9) / messages).toFixed(0);
    console.log(
      `${waiting}, ${scheme}: ${messages.toLocaleString("en")} messages each way in ${seconds.toFixed(1)} s, ` +
        `${each} ns each, ${notifications.toLocaleString("en")} notifications, none lost`,
    );
  }
}
