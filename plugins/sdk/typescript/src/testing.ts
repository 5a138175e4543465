/** Tries a plugin inside the test that asks it: no process, no token. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DescService } from "@bufbuild/protobuf";
import { ServerCredentials, type Client as Channel } from "@grpc/grpc-js";

import { client, type Client } from "./client.js";
import { Plugin as Identity, type Diagnostic } from "./gen/hector/plugin/v1/plugin_pb.js";
import { ToolProvider, type ExecuteToolResponse } from "./gen/hector/tool/v1/tool_pb.js";
import { Plugin, type Part } from "./plugin.js";
import { channel } from "./setup.js";

/** A plugin that runs until it is closed. */
export class Running {
  constructor(
    readonly channel: Channel,
    /** Its socket, for whoever else is to call it. */
    readonly target: string,
    readonly close: () => Promise<void>,
  ) {}

  /** The rpcs of a contract, as functions. */
  client<S extends DescService>(contract: S): Client<S> {
    return client(contract, this.channel);
  }

  /** Hand settings over as a host does, and give what the plugin finds wrong with them. */
  async configure(settings: object): Promise<Diagnostic[]> {
    const answer = await this.client(Identity).configure({ configJson: JSON.stringify(settings) });
    return answer.diagnostics;
  }

  /** Run a tool. */
  call(tool: string, args: object): Promise<ExecuteToolResponse> {
    return this.client(ToolProvider).executeTool({ tool, parametersJson: JSON.stringify(args) });
  }
}

/** Serve the parts: what serve() takes, start() takes. */
export async function start(...parts: readonly Part[]): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "hp-"));
  const target = `unix:${join(folder, "plugin.sock")}`;
  const plugin = new Plugin("in-process", "", parts, () => void plugin.stop(0));
  await new Promise<void>((resolve, reject) =>
    plugin.server.bindAsync(target, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  const connection = channel(target);
  return new Running(connection, target, async () => {
    connection.close();
    await plugin.stop(0);
    await rm(folder, { recursive: true, force: true });
  });
}
