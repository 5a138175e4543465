import { match } from "node:assert/strict";
import { test } from "node:test";

import { AgentProvider } from "@hector/plugin/agent";
import { start } from "@hector/plugin/testing";

import { greeter } from "./agent.ts";

test("it counts how often it met somebody", async (t) => {
  const plugin = await start(greeter);
  t.after(() => plugin.close());
  const message = { parts: [{ content: { case: "text" as const, value: "hi" } }] };
  let answer = "";
  for await (const { event } of plugin.client(AgentProvider).runAgent({ agent: "greeter", message, stateJson: '{"met": 1}' })) {
    if (event.case === "text") answer += event.value;
  }
  match(answer, /we have met: 2\./);
});
