/** What a plugin says about itself, and how it is configured and ended: hector.plugin.v1.Plugin. */
import { status } from "@grpc/grpc-js";

import { PluginError } from "./errors.js";
import { Diagnostic_Severity, type Plugin as Contract } from "./gen/hector/plugin/v1/plugin_pb.js";
import { log } from "./log.js";
import type { Plugin } from "./plugin.js";
import { unary, type Implementation } from "./service.js";
import { MAX_MESSAGE_BYTES } from "./setup.js";

/** Answer for a plugin. */
export function identity(plugin: Plugin, end: (graceS: number) => void): Implementation<typeof Contract> {
  return {
    getInfo: () => ({
      name: plugin.name,
      version: plugin.version,
      components: plugin.components,
      configSchemaJson: plugin.settings.schemaJson,
      maxConcurrency: plugin.maxConcurrency,
      maxMessageBytes: BigInt(MAX_MESSAGE_BYTES),
      reconfigurable: true,
    }),

    validateConfig: async ({ configJson }) => ({ diagnostics: (await plugin.settings.read(configJson)).diagnostics }),

    async configure(request) {
      const read = await plugin.settings.read(request.configJson);
      if (read.diagnostics.some((one) => one.severity !== Diagnostic_Severity.WARNING)) return { diagnostics: read.diagnostics };
      const failed = await read.apply();
      if (failed.length === 0) {
        plugin.setup.take(request);
        log.debug("configured", { instances: request.instances.length });
      }
      return { diagnostics: [...read.diagnostics, ...failed] };
    },

    async collectMetrics() {
      if (plugin.metrics) return { prometheusText: new TextEncoder().encode(await plugin.metrics()) };
      throw new PluginError(status.UNIMPLEMENTED, "NO_METRICS", `${plugin.name} has no metrics of its own`);
    },

    shutdown({ graceS }) {
      setImmediate(end, graceS); // the answer goes first
      return {};
    },
  };
}

/** Serve go-plugin's own way to end a plugin, for hosts that know no other; its messages are empty. */
export function addGoPluginController(plugin: Plugin, end: () => void): void {
  const path = "/plugin.GRPCController/Shutdown";
  const write = (): Buffer => Buffer.alloc(0);
  const read = (): object => ({});
  const Shutdown = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: write,
  };
  const shutdown = (): object => {
    setImmediate(end); // the answer goes first
    return {};
  };
  plugin.server.addService({ Shutdown }, { Shutdown: unary(plugin, write, path, shutdown) });
}
