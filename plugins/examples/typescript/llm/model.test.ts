import { equal } from "node:assert/strict";
import { test } from "node:test";

import { LLMProvider } from "@hector/plugin/llm";
import { start } from "@hector/plugin/testing";

import { echo } from "./model.ts";

test("what is streamed is what was said", async (t) => {
  const plugin = await start(echo);
  t.after(() => plugin.close());
  let text = "";
  for await (const piece of plugin.client(LLMProvider).streamText({ prompt: "two words" })) {
    text += piece.text;
    if (piece.done) equal(piece.usage?.completionTokens, 2n);
  }
  equal(text, "two words");
});
