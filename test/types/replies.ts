/** Replies with codes of their own: what a device may answer, and what a driver may look at. */
import type { GpuDriver, GpuControl } from "../../generated/gpu.js";
import type { IommuRequest } from "../../generated/iommu.js";
import type { RpmbDriver } from "../../generated/rpmb.js";
import type { RtcDriver, RtcRequest } from "../../generated/rtc.js";

export function device(rtc: RtcRequest, gpu: GpuControl, iommu: IommuRequest): void {
  if (rtc.msgType === "CFG") {
    rtc.complete({ status: "OK", numClocks: 1 });
    rtc.complete("ENODEV");
    // @ts-expect-error TS2769: No overload matches this call
    rtc.complete("OK");
    // @ts-expect-error TS2769: No overload matches this call
    rtc.complete({ status: "OK", clockReading: 1n });
    // @ts-expect-error TS2769: No overload matches this call
    rtc.complete({ status: "EIO", numClocks: 1 });
  }
  if (rtc.msgType === "SET_ALARM") rtc.complete("OK");
  // Whatever the request is, it can be refused, but not answered.
  rtc.complete("EOPNOTSUPP");
  // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable
  rtc.complete("OK");

  gpu.complete("RESP_ERR_UNSPEC");
  if (gpu.type === "CMD_GET_CAPSET") gpu.complete("RESP_OK_CAPSET");
  if (gpu.type === "CMD_RESOURCE_FLUSH") {
    gpu.complete({ type: "RESP_OK_NODATA", fenceId: gpu.fenceId });
    // @ts-expect-error TS2339: Property 'entries' does not exist
    void gpu.entries;
  }
  // @ts-expect-error TS2339: Property 'hdr' does not exist
  void gpu.hdr;

  if (iommu.type === "MAP") {
    iommu.complete("NOMEM");
    // @ts-expect-error TS2345: Argument of type '"NONE"' is not assignable
    iommu.complete("NONE");
  }
}

export async function driver(rtc: RtcDriver, gpu: GpuDriver, rpmb: RpmbDriver): Promise<void> {
  const read = await rtc.requestq.submit({ msgType: "READ", clockId: 0 });
  // @ts-expect-error TS2339: Property 'clockReading' does not exist
  void read.clockReading;
  if (read.status === "OK") void (read.clockReading satisfies bigint);

  const display = await gpu.controlq.submit({ type: "CMD_GET_DISPLAY_INFO" });
  if (display.type === "RESP_OK_DISPLAY_INFO") void display.pmodes;
  // @ts-expect-error TS2339: Property 'pmodes' does not exist
  else void display.pmodes;

  const { response } = await rpmb.requestq.submit({ reqResp: "REQ_GET_WRITE_COUNTER" });
  void response.writeCounter;
  const programmed = await rpmb.requestq.submit({ reqResp: "REQ_PROGRAM_KEY", wantsResult: true });
  // @ts-expect-error TS18048: 'programmed.result' is possibly 'undefined'
  void programmed.result.result;
}
