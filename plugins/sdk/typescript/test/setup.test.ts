import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";

import { Metadata } from "@grpc/grpc-js";
import { client, settings, tool, z } from "@hector/plugin";
import { Plugin } from "@hector/plugin/plugin";
import { start } from "@hector/plugin/testing";
import { ToolProvider } from "@hector/plugin/tool";

const about = tool("about", "Tells for which entry it is called.", {}, (_, call) => [call.instance, call.component, call.instanceConfig]);

function calledFor(instance: string): Metadata {
  const metadata = new Metadata();
  metadata.set("hector-instance", instance);
  return metadata;
}

test("an entry whose name is not plain ASCII is found by it", async (t) => {
  const plugin = await start(about);
  t.after(() => plugin.close());
  await plugin.client(Plugin).configure({ instances: [{ name: "tools.größe", component: "xl", configJson: '{"a": 1}' }] });
  const along = { metadata: calledFor(encodeURIComponent("tools.größe")) };
  const { result } = await client(ToolProvider, plugin.channel, along).executeTool({ tool: "about" });
  deepEqual(JSON.parse(result), ["tools.größe", "xl", { a: 1 }]);
});

test("settings that do not come in force leave the entries as they were", async (t) => {
  const config = settings({ port: z.int().default(1) }).onConfigure(({ port }) => {
    if (port === 2) throw new Error("port 2 is taken");
  });
  const plugin = await start(config, about);
  t.after(() => plugin.close());
  const identity = plugin.client(Plugin);
  await identity.configure({ instances: [{ name: "tools.about", component: "first" }] });
  const refused = await identity.configure({ configJson: '{"port": 2}', instances: [{ name: "tools.about", component: "second" }] });
  equal(refused.diagnostics.length, 1);
  const along = { metadata: calledFor("tools.about") };
  const { result } = await client(ToolProvider, plugin.channel, along).executeTool({ tool: "about" });
  equal(JSON.parse(result)[1], "first");
});
