import { deepEqual } from "node:assert/strict";
import { test } from "node:test";

import { DocumentParser } from "@hector/plugin/document";
import { start } from "@hector/plugin/testing";

import { tables } from "./parser.ts";

test("every row names its columns", async (t) => {
  const plugin = await start(tables);
  t.after(() => plugin.close());
  const content = Buffer.from('name,moons\nearth,1\n"mars, too",2\n');
  const { sections } = await plugin.client(DocumentParser).parseDocument({ content, fileName: "planets.csv" });
  deepEqual(
    sections.map(({ text }) => text),
    ["name: earth; moons: 1", "name: mars, too; moons: 2"],
  );
});
