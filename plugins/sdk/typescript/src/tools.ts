/** Serves all tools of a plugin together: hector.tool.v1.ToolProvider. */
import { createHash } from "node:crypto";

import { toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";

import type { Call, Watcher } from "./call.js";
import { deferred } from "./deferred.js";
import { PluginError } from "./errors.js";
import { ToolSchema, type Tool as Listed } from "./gen/hector/common/v1/tool_pb.js";
import { ToolProvider, type ExecuteToolResponse, type StreamToolRequest, type StreamToolResponseSchema } from "./gen/hector/tool/v1/tool_pb.js";
import type { Plugin } from "./plugin.js";

/** One tool: how it is listed, and how it is run. */
export interface Tool {
  readonly listed: Listed;
  execute(parametersJson: string, dryRun: boolean, call: Call): Promise<ExecuteToolResponse>;
}

type Event = MessageInitShape<typeof StreamToolResponseSchema>;

/** The tools of one plugin, by name. */
export class Tools {
  readonly #tools = new Map<string, Tool>();

  add(tool: Tool): void {
    if (this.#tools.has(tool.listed.name)) throw new Error(`there are two tools named "${tool.listed.name}"`);
    this.#tools.set(tool.listed.name, tool);
  }

  /** Serve them, if there are any. */
  join(plugin: Plugin): void {
    if (this.#tools.size === 0) return;
    const tools = [...this.#tools.values()].map((tool) => tool.listed).sort((a, b) => (a.name < b.name ? -1 : 1));
    const hash = createHash("sha256");
    for (const tool of tools) hash.update(toBinary(ToolSchema, tool));
    const revision = hash.digest("hex").slice(0, 16);
    plugin.add(ToolProvider, {
      listTools: () => ({ tools, revision }),
      getToolSchema: ({ tool }: { tool: string }) => ({ tool: this.#find(tool).listed }),
      executeTool: (request: StreamToolRequest, call: Call) =>
        this.#find(request.tool).execute(request.parametersJson, request.dryRun, call.forTool(request.context)),
      streamTool: (request: StreamToolRequest, call: Call) => this.#stream(request, call),
    } as never);
  }

  #find(name: string): Tool {
    const tool = this.#tools.get(name);
    if (tool) return tool;
    const names = [...this.#tools.keys()].sort().join(", ");
    throw new PluginError(status.NOT_FOUND, "TOOL_NOT_FOUND", `there is no tool "${name}" here, but ${names}`);
  }

  async *#stream(request: StreamToolRequest, call: Call): AsyncIterable<Event> {
    const shown: Event[] = [];
    let wake = deferred();
    const show = (event: Event): void => {
      shown.push(event);
      wake.resolve();
    };
    const watcher: Watcher = {
      progress: (progress, total, message) => show({ event: { case: "progress", value: { progress, total, message } } }),
      output: (text) => show({ event: { case: "output", value: { content: { case: "text", value: text } } } }),
    };
    let over = false;
    const running = this.#find(request.tool)
      .execute(request.parametersJson, request.dryRun, call.forTool(request.context, watcher))
      .finally(() => {
        over = true;
        wake.resolve();
      });
    running.catch(() => {}); // it is awaited below, once everything has been shown
    while (!over || shown.length > 0) {
      await wake.promise;
      if (!over) wake = deferred();
      yield* shown.splice(0);
    }
    yield { event: { case: "result", value: await running } };
  }
}
