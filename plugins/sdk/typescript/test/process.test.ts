import { doesNotMatch, equal, match } from "node:assert/strict";
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { log } from "@hector/plugin";

const PLUGIN = 'import { serve, tool } from "@hector/plugin"; serve(tool("none", "Does nothing.", {}, () => ""));';
const PRINTS_LAST_WORDS = 'process.stdin.on("end", () => console.log("bye"));';

/** Starts a program, with a folder of its own that is removed as the program is. */
async function started(t: TestContext, program: string, args: string[] = []): Promise<ChildProcessWithoutNullStreams> {
  const folder = await mkdtemp(join(tmpdir(), "hp-"));
  const hosted = { HECTOR_PLUGIN: "hector_plugin_v1", HECTOR_STDIN_WATCH: "1", PLUGIN_UNIX_SOCKET_DIR: folder };
  const env = args.length > 0 ? {} : hosted;
  const plugin = spawn(process.execPath, ["--input-type=module", "--eval", program, "--", "plugin", ...args], { env });
  t.after(() => {
    plugin.kill("SIGKILL");
    return rm(folder, { recursive: true, force: true });
  });
  return plugin;
}

test("a plugin whose log nobody reads any more ends with its host", { timeout: 30_000 }, async (t) => {
  const plugin = await started(t, PLUGIN + PRINTS_LAST_WORDS);
  await once(plugin.stdout, "data");
  plugin.stderr.destroy();
  plugin.stdin.end();
  const [code] = await once(plugin, "exit");
  equal(code, 0);
});

test("a plugin that cannot listen says so in a sentence", { timeout: 30_000 }, async (t) => {
  const plugin = await started(t, PLUGIN, ["--standalone", "unix:/nowhere/plugin.sock"]);
  let said = "";
  plugin.stderr.on("data", (piece) => (said += piece));
  const [code] = await once(plugin, "close");
  equal(code, 1);
  match(said, /^cannot listen on unix:\/nowhere\/plugin\.sock: .*$/m);
  doesNotMatch(said, /^ +at /m);
});

test("a line of the log is written whatever its facts are", (t) => {
  const lines: string[] = [];
  t.mock.method(process.stderr, "write", (line: string) => lines.push(line) > 0);
  const circle: Record<string, unknown> = {};
  circle.again = circle;
  log.info("looked", { count: 7n, circle, error: new Error("no") });
  equal(lines.length, 1);
  match(lines[0] ?? "", /^\[INFO\] looked count="7" circle=.* error=no\n$/);
});
