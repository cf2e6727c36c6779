import { DEFAULTS, type ConnectOptions } from "./connect-options.js";

const NET_DEVICE = 1;
/** Messages have 8 bits for the number of a ring (SET_VRING_KICK). */
const MOST_QUEUES = 256;

/** How many queues a device has, whose back end says `told` (GET_QUEUE_NUM), or cannot say it. */
export function queueCount(
  told: number | undefined,
  { deviceId, queues = DEFAULTS.queues }: Pick<ConnectOptions, "deviceId" | "queues">,
): number {
  if (told === undefined) return Math.min(queues, MOST_QUEUES);
  // Those of a network device are counted in pairs, and the control queue is not one of them.
  return Math.min(deviceId === NET_DEVICE ? 2 * told + 1 : told, MOST_QUEUES);
}
