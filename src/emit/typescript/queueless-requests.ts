import { code, type Code } from "./code.js";
import { codecName, codecNeedsDriver, requestCodec } from "./request-codec.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { runtime, runtimeType } from "./imports.js";
import { inputName, inputTypes, queueTypeName, replyUnionName } from "./request-inputs.js";
import { requestShape, type RequestShape } from "./request-shapes.js";
import { requestSlot, slotName, usesConfig } from "./request-slot.js";
import { requestTypes } from "./request-types.js";

/**
 * Requests of what all devices share, which has no queue to put them on. Whoever has a queue (an administration queue
 * of a device) gets both ends of it from two functions, and the codec for other ways to carry a request.
 */
export function queuelessRequests(scope: DeviceScope): readonly Code[] {
  return scope.device.requests.flatMap((model) => {
    const request = requestShape(model, scope);
    if (codecNeedsDriver(request, scope) || usesConfig(request, scope)) {
      throw new EmitError("a request outside of a device that depends on features or config", model.name);
    }
    return [
      requestTypes(request, scope),
      requestSlot(request, scope).code,
      server(request),
      inputTypes(request, scope),
      code`${docComment({ doc: `How a {@link ${inputName(request)}} becomes bytes, and what the device has written a reply.` })}
        export ${requestCodec(request, scope)}`,
      queue(request),
    ];
  });
}

function server(request: RequestShape): Code {
  const { typeName } = request;
  return code`${docComment({ doc: `What serves a queue of {@link ${typeName}}: an entry of a device's queue plan.` })}
    export function ${functionStem(request)}Server(options: {
      readonly handle: (request: ${typeName}) => ${runtimeType("HandlerResult")};
      readonly report: (error: Error) => void;
    }): ${runtimeType("QueueHandler")} {
      return new ${runtime("RequestServer")}({
        createSlot: (host, slot) => new ${slotName(request)}(host, slot),
        handle: (request) => options.handle(request as ${typeName}),
        report: options.report,
      });
    }`;
}

function queue(request: RequestShape): Code {
  const plain = code`${runtime("DriverRequestQueue")}<${inputName(request)}, ${replyUnionName(request)}>`;
  const hasTags = request.discriminators.length > 0;
  const type = hasTags ? code`${queueTypeName(request)} & ${runtimeType("DriverQueueHandler")}` : plain;
  return code`${docComment({ doc: `A queue that sends {@link ${inputName(request)}}: an entry of a driver's queue plan.` })}
    export function ${functionStem(request)}Queue(): ${type} {
      return new ${runtime("DriverRequestQueue")}(${codecName(request)})${hasTags && code` as ${type}`};
    }`;
}

function functionStem({ baseName }: RequestShape): string {
  return `${baseName.charAt(0).toLowerCase()}${baseName.slice(1)}`;
}
