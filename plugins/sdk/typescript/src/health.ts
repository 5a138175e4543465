/** Says whether services can be called: grpc.health.v1. */
import { status } from "@grpc/grpc-js";

import type { Call } from "./call.js";
import { deferred } from "./deferred.js";
import { PluginError } from "./errors.js";
import { HealthCheckResponse_ServingStatus as State } from "./gen/health_pb.js";
import type { Health as Contract } from "./gen/health_pb.js";
import type { Implementation } from "./service.js";

/** Health of services by full name; "" is all of them together. */
export class Health {
  readonly #states = new Map<string, State>([["", State.SERVING]]);
  readonly #changed = deferred();
  #leaving = false;

  /** Say that a service can be called. */
  serving(service: string): void {
    this.#states.set(service, State.SERVING);
  }

  /** Say that nothing can be called any more, and let go who watches. */
  leave(): void {
    for (const service of this.#states.keys()) this.#states.set(service, State.NOT_SERVING);
    this.#leaving = true;
    this.#changed.resolve();
  }

  readonly implementation: Implementation<typeof Contract> = {
    check: ({ service }) => {
      const state = this.#states.get(service);
      if (state === undefined) throw new PluginError(status.NOT_FOUND, "SERVICE_UNKNOWN", `there is no service "${service}" here`);
      return { status: state };
    },
    watch: ({ service }, call) => this.#watch(service, call),
  };

  async *#watch(service: string, call: Call): AsyncIterable<{ status: State }> {
    const left = new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve(), { once: true }));
    yield { status: this.#states.get(service) ?? State.SERVICE_UNKNOWN };
    if (!this.#leaving) await Promise.race([this.#changed.promise, left]);
    if (this.#leaving) yield { status: this.#states.get(service) ?? State.SERVICE_UNKNOWN };
  }
}
