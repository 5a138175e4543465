/** Everything that the parts of a plugin came to, and the server that serves it. */
import { timingSafeEqual } from "node:crypto";

import { create, type DescService } from "@bufbuild/protobuf";
import { Server, status, type UntypedServiceImplementation } from "@grpc/grpc-js";

import { bytesOf } from "./bytes.js";
import type { Call } from "./call.js";
import { PluginError } from "./errors.js";
import { Health as HealthContract } from "./gen/health_pb.js";
import { Plugin as Identity, PluginKind } from "./gen/hector/plugin/v1/plugin_pb.js";
import type { Component } from "./gen/hector/plugin/v1/plugin_pb.js";
import { Health } from "./health.js";
import { addGoPluginController, identity } from "./identity.js";
import { definition, streaming, unary, type Implementation } from "./service.js";
import { settings, type Checked } from "./settings.js";
import { MAX_MESSAGE_BYTES, Setup } from "./setup.js";
import { Tools, type Tool } from "./tools.js";

/** Something that a plugin is made of: its name, a tool, a service, its settings. */
export interface Part {
  /** Become part of a plugin that is being put together. */
  join(plugin: Plugin): void;
}

/** Say what the plugin calls itself, and its version as in semver.org. */
export function name(name: string, version = "0.0.0"): Part {
  return {
    join(plugin) {
      plugin.name = name;
      plugin.version = version;
    },
  };
}

/** Let the host collect the plugin's own metrics, in Prometheus's text format. */
export function metrics(collect: () => string | Promise<string>): Part {
  return {
    join(plugin) {
      plugin.metrics = collect;
    },
  };
}

/** Say how many calls the plugin takes at once. The host keeps others waiting. */
export function limit(calls: number): Part {
  return {
    join(plugin) {
      plugin.maxConcurrency = calls;
    },
  };
}

const KINDS: Readonly<Record<string, PluginKind>> = {
  "hector.agent.v1.AgentProvider": PluginKind.AGENT,
  "hector.document.v1.DocumentParser": PluginKind.DOCUMENT_PARSER,
  "hector.embedder.v1.EmbedderProvider": PluginKind.EMBEDDER_PROVIDER,
  "hector.guardrail.v1.Guardrail": PluginKind.GUARDRAIL,
  "hector.llm.v1.LLMProvider": PluginKind.LLM_PROVIDER,
  "hector.reasoning.v1.ReasoningStrategy": PluginKind.REASONING_STRATEGY,
  "hector.tool.v1.ToolProvider": PluginKind.TOOL_PROVIDER,
  "hector.vector.v1.DatabaseProvider": PluginKind.DATABASE_PROVIDER,
};

/** A plugin in this process. Authors meet it as the parts that they give to serve(). */
export class Plugin {
  name: string;
  version = "0.0.0";
  maxConcurrency = 0;
  metrics: (() => string | Promise<string>) | undefined;
  settings: Checked = settings({}); // a plugin that has no settings refuses every key
  readonly components: Pick<Component, "kind" | "service" | "rpcs">[] = [];
  readonly setup = new Setup();
  readonly health = new Health();
  readonly server = new Server({ "grpc.max_receive_message_length": MAX_MESSAGE_BYTES, "grpc.max_send_message_length": -1 });
  readonly #token: Buffer;
  readonly #tools = new Tools();
  readonly #stopping = new AbortController();

  /**
   * @param program What it is called if no part says so.
   * @param token What callers have to show; empty means that nobody has to.
   * @param end Asks for the end; calls in flight may take `graceS`, or what is usual if it is zero.
   */
  constructor(program: string, token: string, parts: readonly Part[], end: (graceS: number) => void) {
    this.name = program;
    this.#token = Buffer.from(token);
    for (const part of parts) part.join(this);
    this.#tools.join(this);
    this.add(Identity, identity(this, end));
    addGoPluginController(this, () => end(0));
    this.add(HealthContract, this.health.implementation);
    this.health.serving("plugin"); // go-plugin's hosts ask for it
  }

  /** Serve a contract as far as it is written. */
  add(contract: DescService, implementation: Implementation<DescService>): void {
    const definitions: Record<string, ReturnType<typeof definition>> = {};
    const handlers: UntypedServiceImplementation = {};
    const rpcs: string[] = [];
    for (const method of contract.methods) {
      const handle = (implementation as Record<string, unknown>)[method.localName];
      if (typeof handle !== "function") continue; // grpc-js answers UNIMPLEMENTED
      const bound = handle.bind(implementation);
      const defined = definition(contract, method);
      const write = (answer: object): Buffer => bytesOf(method.output, create(method.output, answer as Record<string, unknown>));
      definitions[method.name] = defined;
      handlers[method.name] = (method.methodKind === "unary" ? unary : streaming)(this, write, defined.path, bound);
      rpcs.push(method.name);
    }
    this.server.addService(definitions, handlers);
    const kind = KINDS[contract.typeName];
    if (kind !== undefined) this.components.push({ kind, service: contract.typeName, rpcs });
    this.health.serving(contract.typeName);
  }

  /** Take another tool. */
  addTool(tool: Tool): void {
    this.#tools.add(tool);
  }

  /** Let a call in, or refuse it. Health is answered without a token: probes have none. */
  admit(call: Call, path: string): void {
    const isHealth = path.startsWith(`/${HealthContract.typeName}/`);
    const shown = Buffer.from(call.header("hector-token"));
    if (this.#token.length > 0 && (shown.length > 0 || !isHealth) && !same(shown, this.#token)) {
      throw new PluginError(
        status.UNAUTHENTICATED,
        "PLUGIN_TOKEN_REQUIRED",
        'this plugin answers only the host that started it; show its token as metadata "hector-token"',
      );
    }
    if (this.#stopping.signal.aborted && !isHealth) {
      throw new PluginError(status.UNAVAILABLE, "PLUGIN_STOPPING", `${this.name} is stopping and takes no more calls`);
    }
  }

  /** Take no more calls, wait for those in flight as long as they may take, and cut the rest off. */
  async stop(graceS: number): Promise<void> {
    this.#stopping.abort();
    this.health.leave();
    const drained = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    let clock: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (clock = setTimeout(resolve, graceS * 1000)));
    await Promise.race([drained, late]);
    clearTimeout(clock);
    this.server.forceShutdown();
  }
}

function same(shown: Buffer, wanted: Buffer): boolean {
  return shown.length === wanted.length && timingSafeEqual(shown, wanted);
}
