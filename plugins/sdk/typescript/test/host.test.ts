import { deepEqual, rejects } from "node:assert/strict";
import { test } from "node:test";

import { Metadata } from "@grpc/grpc-js";
import { client, service, status, tool } from "@hector/plugin";
import { HostServices, Plugin } from "@hector/plugin/plugin";
import { start } from "@hector/plugin/testing";
import { ToolProvider } from "@hector/plugin/tool";

const ask = tool("ask", "Asks the host.", {}, async (_, call) => {
  const { value, found } = await call.host.getState({ key: "a" });
  return `${call.component} ${Buffer.from(value)} ${found}`;
});

const NAMES = ["hector-token", "hector-call", "hector-principal", "traceparent", "other"];

const host = service(HostServices, {
  getState: (_, call) => ({ value: Buffer.from(NAMES.map((name) => call.header(name)).join(" ")), found: call.deadline !== undefined }),
});

test("what is asked of the host carries on whose call is served", async () => {
  const served = await start(host);
  process.env.HECTOR_PLUGIN_TOKEN = "own";
  const plugin = await start(ask);
  try {
    const instances = [{ name: "tools.ask", component: "this" }];
    await plugin.client(Plugin).configure({ hostTarget: served.target, instances });
    const metadata = new Metadata();
    const along = { "hector-token": "the host's", "hector-call": "7", "hector-principal": "ada", traceparent: "00-1", other: "x" };
    for (const [name, value] of Object.entries({ ...along, "hector-instance": "tools.ask" })) metadata.set(name, value);
    const deadline = new Date(Date.now() + 20_000);
    const answer = await client(ToolProvider, plugin.channel, { metadata, deadline }).executeTool({ tool: "ask" });
    deepEqual(answer.result, "this own 7 ada 00-1  true");
  } finally {
    delete process.env.HECTOR_PLUGIN_TOKEN;
    await plugin.close();
    await served.close();
  }
});

test("without a grant the host cannot be asked", async () => {
  const plugin = await start(ask);
  try {
    await rejects(plugin.call("ask", {}), { code: status.PERMISSION_DENIED });
  } finally {
    await plugin.close();
  }
});
