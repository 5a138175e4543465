import { equal } from "node:assert/strict";
import { test } from "node:test";

import { EmbedderProvider } from "@hector/plugin/embedder";
import { start } from "@hector/plugin/testing";

import { hash } from "./embedder.ts";

test("a text has a vector of length one", async (t) => {
  const plugin = await start(hash);
  t.after(() => plugin.close());
  const { vectorF32 } = await plugin.client(EmbedderProvider).embedText({ text: "hello" });
  const bytes = Buffer.from(vectorF32);
  const numbers = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  equal(numbers.length, 8);
  equal(Math.hypot(...numbers).toFixed(6), "1.000000");
});
