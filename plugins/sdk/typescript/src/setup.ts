/** What Configure said beside the plugin's own settings. */
import { Client as Channel, credentials, status } from "@grpc/grpc-js";

import { PluginError } from "./errors.js";
import type { ConfigureRequest, Instance } from "./gen/hector/plugin/v1/plugin_pb.js";

/** Message sizes are the host's: what gRPC itself allows is less than a picture. */
export const MAX_MESSAGE_BYTES = 64 << 20;

/** Where the plugin may write, whom it may ask, and who refers to it. */
export class Setup {
  instances: ReadonlyMap<string, Instance> = new Map();
  dataDir = "";
  #target = "";
  #host: Channel | undefined;

  /** Take over what the host said. */
  take(request: ConfigureRequest): void {
    this.instances = new Map(request.instances.map((one) => [one.name, one]));
    this.dataDir = request.dataDir;
    if (request.hostTarget === this.#target) return;
    this.#target = request.hostTarget;
    // Calls in flight may still use the one before: it is not closed.
    this.#host = this.#target ? channel(this.#target) : undefined;
  }

  /** The connection to the host's own services. */
  host(): Channel {
    if (this.#host) return this.#host;
    throw new PluginError(
      status.PERMISSION_DENIED,
      "PLUGIN_NOT_GRANTED",
      "the host granted this plugin nothing; `grants:` of its entry in hector.yaml says what it may do",
    );
  }
}

/** Connect to a socket of this machine; gRPC does so at the first call. */
export function channel(target: string): Channel {
  return new Channel(target, credentials.createInsecure(), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.default_authority": "localhost",
  });
}
