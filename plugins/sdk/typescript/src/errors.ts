/** What a call can be refused with, and how that travels. */
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status, type ServiceError } from "@grpc/grpc-js";

import { ErrorInfoSchema, StatusSchema } from "./gen/wire_pb.js";

/** A tool that failed: its message is for the model, which may try another way. The call itself went well. */
export class Problem extends Error {}

/** A call that could not be done. The contracts name the reasons that hosts understand. */
export class PluginError extends Error {
  /**
   * @param code gRPC's status, for example `status.NOT_FOUND`.
   * @param reason Why, for programs, for example "MODEL_NOT_FOUND".
   * @param message Why, for people: what was found, and what there is.
   */
  constructor(
    readonly code: status,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

/** Say an error in gRPC's words. */
export function asServiceError(error: PluginError): ServiceError {
  const info = create(ErrorInfoSchema, { reason: error.reason, domain: "hector.plugin" });
  const whole = create(StatusSchema, {
    code: error.code,
    message: error.message,
    details: [anyPack(ErrorInfoSchema, info)],
  });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, whole)));
  return { name: "PluginError", message: error.message, code: error.code, details: error.message, metadata };
}
