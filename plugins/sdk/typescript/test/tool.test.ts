import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Problem, secret, service, settings, status, tool, z } from "@hector/plugin";
import { TokenUsageSchema } from "@hector/plugin/common";
import { LLMProvider } from "@hector/plugin/llm";
import { Plugin } from "@hector/plugin/plugin";
import { start, type Running } from "@hector/plugin/testing";
import { ToolProvider } from "@hector/plugin/tool";

async function using(running: Promise<Running>, use: (plugin: Running) => Promise<void>): Promise<void> {
  const plugin = await running;
  try {
    await use(plugin);
  } finally {
    await plugin.close();
  }
}

const fails = tool("fails", "Fails as it is told.", { how: z.enum(["problem", "bug"]) }, ({ how }) => {
  throw how === "problem" ? new Problem("not today") : new TypeError("a mistake with a secret");
});

test("a problem is for the model, and any other error is for the log alone", () =>
  using(start(fails), async (plugin) => {
    equal((await plugin.call("fails", { how: "problem" })).error, "not today");
    await rejects(plugin.call("fails", { how: "bug" }), { code: status.INTERNAL, details: "the plugin failed; its log says why" });
  }));

test("arguments that do not match are refused before the tool runs", () =>
  using(start(fails), async (plugin) => {
    for (const wrong of [{}, { how: "else" }, { how: "bug", more: 1 }, []]) {
      await rejects(plugin.call("fails", wrong), { code: status.INVALID_ARGUMENT });
    }
  }));

test("a result that is no text is JSON", () =>
  using(start(tool("pair", "Gives two.", {}, () => ({ a: 1, b: [true] }))), async (plugin) => {
    const answer = await plugin.call("pair", {});
    deepEqual(JSON.parse(answer.structuredJson), { a: 1, b: [true] });
    equal(answer.result, answer.structuredJson);
  }));

test("a result that is another contract's message is JSON too, with its large numbers as texts", () => {
  const found = create(TokenUsageSchema, { promptTokens: 2n ** 60n });
  return using(start(tool("usage", "Counts.", {}, () => found)), async (plugin) => {
    const answer = await plugin.call("usage", {});
    equal(answer.success, true);
    equal(JSON.parse(answer.structuredJson).promptTokens, "1152921504606846976");
  });
});

test("who watches a tool sees what it shows, and then its result", () =>
  using(
    start(
      tool("count", "Counts.", {}, async (_, call) => {
        for (let i = 1; i <= 3; i++) {
          call.progress(i, 3);
          await new Promise(setImmediate);
        }
        call.output("done");
        return "three";
      }),
    ),
    async (plugin) => {
      const seen: unknown[] = [];
      for await (const { event } of plugin.client(ToolProvider).streamTool({ tool: "count" })) {
        seen.push(event.case === "progress" ? event.value.progress : event.case);
      }
      deepEqual(seen, [1, 2, 3, "output", "result"]);
    },
  ));

test("settings that are refused leave those before in force", () => {
  const config = settings({ url: z.url(), tries: z.int().default(3) });
  return using(start(config, fails), async (plugin) => {
    deepEqual(await plugin.configure({ url: "http://a/" }), []);
    const paths = (await plugin.configure({ url: "nowhere", tries: 1.5, more: 1 })).map((one) => one.path);
    deepEqual(paths.sort(), ["/more", "/tries", "/url"]);
    deepEqual(config.value, { url: "http://a/", tries: 3 });
  });
});

test("a secret is marked in the schema, and no problem with it shows it", () => {
  const config = settings({ key: secret(z.string().startsWith("sk-")) });
  return using(start(config, fails), async (plugin) => {
    const info = await plugin.client(Plugin).getInfo({});
    equal(JSON.parse(info.configSchemaJson).properties.key.writeOnly, true);
    const [problem] = await plugin.configure({ key: "geheim" });
    equal(problem?.path, "/key");
    equal(problem?.summary.includes("geheim"), false);
  });
});

test("settings do not come in force when what they need cannot be done", () => {
  const config = settings({ port: z.int().default(1) }).onConfigure(({ port }) => {
    if (port === 2) throw new Error("port 2 is taken");
  });
  return using(start(config, fails), async (plugin) => {
    const [problem] = await plugin.configure({ port: 2 });
    equal(problem?.summary, "port 2 is taken");
    equal(config.value.port, 1);
  });
});

test("settings may be checked by asking somebody", () => {
  const config = settings({ key: z.string().default("").refine(async (key) => key !== "revoked", "it is not valid any more") });
  return using(start(config, fails), async (plugin) => {
    const [problem] = await plugin.configure({ key: "revoked" });
    equal(problem?.summary, "it is not valid any more");
    deepEqual(await plugin.configure({}), []);
    deepEqual(config.value, { key: "" });
  });
});

test("a plugin names the rpcs that it has written, and answers UNIMPLEMENTED to the others", () =>
  using(start(service(LLMProvider, { listModels: () => ({}) })), async (plugin) => {
    const info = await plugin.client(Plugin).getInfo({});
    deepEqual(info.components[0]?.rpcs, ["ListModels"]);
    await rejects(plugin.client(LLMProvider).countTokens({}), { code: status.UNIMPLEMENTED });
  }));

test("a stream that nobody reads is not begun", () => {
  let begun = 0;
  const counted = service(LLMProvider, {
    listModels: () => ({}),
    async *streamText() {
      begun += 1;
      yield {};
    },
  });
  return using(start(counted), async (plugin) => {
    const models = plugin.client(LLMProvider);
    models.streamText({});
    await models.listModels({});
    equal(begun, 0);
    for await (const _ of models.streamText({}));
    equal(begun, 1);
  });
});

test("a caller who leaves a stream stops what makes it", async () => {
  let stopped!: () => void;
  const over = new Promise<void>((resolve) => (stopped = resolve));
  const endless = service(LLMProvider, {
    async *streamText(_, call) {
      try {
        while (true) {
          yield { text: "and " };
          await new Promise(setImmediate);
        }
      } finally {
        equal(call.signal.aborted, true);
        stopped();
      }
    },
  });
  await using(start(endless), async (plugin) => {
    for await (const piece of plugin.client(LLMProvider).streamText({})) {
      equal(piece.text, "and ");
      break;
    }
    await over;
  });
});
