import { expect, test } from "vitest";
import { MediaDevice, MediaDriver, MediaMmapFlags, type MediaCommand, type MediaEvent } from "../../generated/media.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const ENOTTY = 25;
const QUERYCAP = 0;

/** Sessions, and one ioctl that gives what was put in, backwards. */
class Camera {
  readonly sessions = new Set<number>();

  serve(request: MediaCommand) {
    switch (request.cmd) {
      case "OPEN": {
        const sessionId = this.sessions.size + 1;
        this.sessions.add(sessionId);
        return request.complete({ status: 0, sessionId });
      }
      case "CLOSE":
        this.sessions.delete(request.sessionId);
        return request.complete();
      case "IOCTL":
        if (request.code !== QUERYCAP) return request.complete(ENOTTY);
        request.result.write(request.payload.toUint8Array().reverse());
        return request.complete(0);
      case "MMAP":
        if ((request.flags & MediaMmapFlags.RW) === 0) return request.complete(13);
        return request.complete({ status: 0, driverAddr: BigInt(request.offset), len: 4096n });
      case "MUNMAP":
        return request.complete(0);
      default:
        return request.complete(ENOTTY);
    }
  }
}

async function start() {
  const camera = new Camera();
  const events: MediaEvent[] = [];
  const device = new MediaDevice({
    config: { deviceCaps: 1, deviceType: 0, card: "test card" },
    commandq: (request) => camera.serve(request),
  });
  const driver = await MediaDriver.start(loopback(device), {
    eventq: (event) => {
      events.push(event);
    },
  });
  return { camera, device, driver, events };
}

test("a session is opened, used, and closed without an answer", async () => {
  const { camera, driver } = await start();
  const { commandq } = driver;
  const opened = await commandq.submit({ cmd: "OPEN" });
  if (opened.sessionId === undefined) throw new Error(`error ${opened.status}`);
  const { sessionId } = opened;
  expect(opened).toEqual({ status: 0, sessionId: 1 });
  const payload = Uint8Array.of(1, 2, 3);
  const ioctl = { cmd: "IOCTL", sessionId, payload, result: 3 } as const;
  expect(await commandq.submit({ ...ioctl, code: QUERYCAP })).toEqual({ status: 0, result: Uint8Array.of(3, 2, 1) });
  // After an error there is no payload.
  expect(await commandq.submit({ ...ioctl, code: 99 })).toEqual({ status: ENOTTY, result: new Uint8Array(0) });
  const mapped = await commandq.submit({ cmd: "MMAP", sessionId, flags: MediaMmapFlags.RW, offset: 0x2000 });
  expect(mapped).toEqual({ status: 0, driverAddr: 0x2000n, len: 4096n });
  expect(await commandq.submit({ cmd: "MMAP", sessionId, flags: 0, offset: 0 })).toEqual({ status: 13 });
  expect(await commandq.submit({ cmd: "MUNMAP", driverAddr: 0x2000n })).toEqual({ status: 0 });
  expect(camera.sessions.size).toBe(1);
  expect(await commandq.submit({ cmd: "CLOSE", sessionId })).toEqual({});
  expect(camera.sessions.size).toBe(0);
  await driver.stop();
});

test("an event says by its header what follows", async () => {
  const { device, driver, events } = await start();
  const sent: MediaEvent[] = [
    { hdr: { event: "ERROR", sessionId: 3 }, body: { kind: "ERROR", errno: 5 } },
    { hdr: { event: "EVENT", sessionId: 3 }, body: { kind: "EVENT", event: new Uint8Array(136).fill(7) } },
  ];
  for (const event of sent) expect(device.eventq.send(event)).toBe(true);
  for (let turns = 0; turns < 100 && events.length < 2; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
  expect(events).toEqual(sent);
  await driver.stop();
});
