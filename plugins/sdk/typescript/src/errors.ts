/** What a call can be refused with, and how that travels. */
import { create } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status, type MetadataValue, type ServiceError } from "@grpc/grpc-js";

import { bytesOf } from "./bytes.js";
import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "./gen/wire_pb.js";

/** A tool that failed: its message is for the model, which may try another way. The call itself went well. */
export class Problem extends Error {}

/** A call that could not be done. The contracts name the reasons that hosts understand. */
export class PluginError extends Error {
  /** When it makes sense to try again, in seconds; zero: nobody knows. */
  readonly retryAfterS: number;

  /**
   * @param code gRPC's status, for example `status.NOT_FOUND`.
   * @param reason Why, for programs, for example "MODEL_NOT_FOUND".
   * @param message Why, for people: what was found, and what there is.
   * @param more `retryAfterS`: when it makes sense to try again; `cause`, as of any Error.
   */
  constructor(
    readonly code: status,
    readonly reason: string,
    message: string,
    more: ErrorOptions & { readonly retryAfterS?: number } = {},
  ) {
    super(message, more);
    this.retryAfterS = more.retryAfterS ?? 0;
  }
}

const DETAILS = "grpc-status-details-bin";
const MAX_MESSAGE_CHARS = 4_000; // as Hector itself does: it travels in metadata, where a longer one would replace the refusal by another one

/** Say an error in gRPC's words. */
export function asServiceError(error: PluginError): ServiceError {
  const message = shortened(error.message);
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: error.reason, domain: "hector.plugin" }))];
  if (error.retryAfterS > 0) {
    const retryDelay = durationFromMs(Math.ceil(error.retryAfterS * 1000));
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  const whole = create(StatusSchema, { code: error.code, message, details });
  return refusal(error.code, message, [bytesOf(StatusSchema, whole)]);
}

/** Hand on what somebody else refused, the host for example, if that is what an error is. */
export function handedOn(error: unknown): ServiceError | undefined {
  if (!(error instanceof Error && "code" in error && "details" in error && "metadata" in error)) return undefined;
  const { code, details, metadata } = error as ServiceError;
  return metadata instanceof Metadata ? refusal(code, shortened(details), metadata.get(DETAILS)) : undefined;
}

function refusal(code: status, message: string, details: readonly MetadataValue[]): ServiceError {
  const metadata = new Metadata();
  for (const one of details) metadata.add(DETAILS, one);
  return { name: "PluginError", message, code, details: message, metadata };
}

function shortened(text: string): string {
  return text.length <= MAX_MESSAGE_CHARS ? text : `${text.slice(0, MAX_MESSAGE_CHARS)}… (cut)`;
}
