import { expect, test } from "vitest";
import {
  IommuDevice,
  IommuDriver,
  IommuMapFlags,
  type IommuProperty,
  type IommuRequest,
} from "../../generated/iommu.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const MSI: IommuProperty = {
  head: { type: "RESV_MEM", length: 20 },
  value: { kind: "RESV_MEM", subtype: "MSI", start: 0xfee0_0000n, end: 0xfeef_ffffn },
};
const VENDOR: IommuProperty = {
  head: { type: 0x123, length: 3 },
  value: { kind: "default", value: Uint8Array.of(1, 2, 3) },
};

/** Domains of mappings, by their first virtual address. */
class Translation {
  readonly #domains = new Map<number, Map<bigint, { end: bigint; physical: bigint }>>();

  serve(request: IommuRequest) {
    switch (request.type) {
      case "ATTACH":
        if (!this.#domains.has(request.domain)) this.#domains.set(request.domain, new Map());
        return request.complete("OK");
      case "DETACH":
        return request.complete(this.#domains.delete(request.domain) ? "OK" : "NOENT");
      case "MAP": {
        const domain = this.#domains.get(request.domain);
        if (domain === undefined) return request.complete("NOENT");
        if (request.flags === 0) return request.complete("INVAL");
        domain.set(request.virtStart, { end: request.virtEnd, physical: request.physStart });
        return request.complete("OK");
      }
      case "UNMAP":
        return request.complete(this.#domains.get(request.domain)?.delete(request.virtStart) === true ? "OK" : "RANGE");
      case "PROBE":
        if (request.endpoint !== 8) return request.complete("NOENT");
        return request.complete({ status: "OK", properties: [MSI, VENDOR] });
      default:
        return request.complete("UNSUPP");
    }
  }
}

async function start(probeSize = 64) {
  const translation = new Translation();
  const errors: Error[] = [];
  const device = new IommuDevice({
    features: ["MAP_UNMAP", "PROBE"],
    config: { pageSizeMask: 0x1000n, probeSize },
    requestq: (request) => translation.serve(request),
    onProtocolError: (error) => errors.push(error),
  });
  const driver = await IommuDriver.start(loopback(device), {
    features: ["MAP_UNMAP", "PROBE"],
    eventq: () => undefined,
  });
  return { driver, errors };
}

test("an endpoint is attached, mapped and probed", async () => {
  const { driver, errors } = await start();
  const { requestq } = driver;
  expect(await requestq.submit({ type: "ATTACH", domain: 1, endpoint: 8, flags: 0 })).toEqual({ status: "OK" });
  const map = { type: "MAP", domain: 1, virtStart: 0x1000n, virtEnd: 0x1fffn, physStart: 0x8000n } as const;
  expect(await requestq.submit({ ...map, flags: IommuMapFlags.READ })).toEqual({ status: "OK" });
  expect(await requestq.submit({ ...map, flags: 0 })).toEqual({ status: "INVAL" });
  expect(await requestq.submit({ type: "UNMAP", domain: 1, virtStart: 0n, virtEnd: 0xfffn })).toEqual({
    status: "RANGE",
  });
  // Properties of their own sizes up to one of type 0, in as many bytes as the configuration says.
  const probed = await requestq.submit({ type: "PROBE", endpoint: 8 });
  expect(probed.status).toBe("OK");
  expect(probed.properties.slice(0, 2)).toEqual([MSI, VENDOR]);
  expect(probed.properties.slice(2)).toEqual([
    { head: { type: 0, length: 0 }, value: { kind: "default", value: new Uint8Array(0) } },
  ]);
  expect(errors).toEqual([]);
  await driver.stop();
});

test("properties that do not fit are the device's mistake, not a reply cut short", async () => {
  const { driver, errors } = await start(16);
  expect(await driver.requestq.submit({ type: "PROBE", endpoint: 8 })).toMatchObject({ status: "DEVERR" });
  expect(errors).toHaveLength(1);
  await driver.stop();
});
