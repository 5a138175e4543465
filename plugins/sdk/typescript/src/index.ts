/**
 * What a plugin for Hector is written with: `serve(tool("upper", …))`.
 *
 * A plugin is a gRPC server that Hector starts. This package does what all of them have in common: the handshake, health, the
 * token, configuration, logs and an orderly end. What a plugin serves are the contracts themselves: "@hector/plugin/llm" and
 * so on hold their types.
 */
import "./stdout.js"; // first of all

export { status } from "@grpc/grpc-js";
export { z } from "zod";
export type { Call } from "./call.js";
export { client, type Client } from "./client.js";
export { PluginError, Problem } from "./errors.js";
export { log } from "./log.js";
export { limit, metrics, name, type Part } from "./plugin.js";
export { serve } from "./serve.js";
export { service, type Implementation } from "./service.js";
export { secret, settings, type Settings } from "./settings.js";
export { tool, type Hints } from "./tool.js";
