/** Serves a plugin until its host has enough of it. */
import { basename } from "node:path";

import { ServerCredentials } from "@grpc/grpc-js";

import { lineFor, NotStarted, readLaunch, type Launch } from "./launch.js";
import { beginLog, log } from "./log.js";
import { Plugin, type Part } from "./plugin.js";
import { takeStdout, writeLine } from "./stdout.js";

const EXIT_FAILURE = 1;

/**
 * Serve the parts until the host asks to end, and leave the program; what is printed meanwhile goes to standard error, the
 * host's log.
 *
 * The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in flight get HECTOR_DRAIN_S
 * seconds. `--standalone ADDRESS` on the command line serves without a host, for a debugger: ADDRESS is unix:/tmp/plugin.sock
 * or 127.0.0.1:7010.
 */
export function serve(...parts: readonly Part[]): void {
  takeStdout();
  void run(parts).then(
    () => process.exit(0),
    (error: unknown) => {
      const known = error instanceof NotStarted;
      process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`, () =>
        process.exit(known ? error.code : 1),
      );
    },
  );
}

async function run(parts: readonly Part[]): Promise<void> {
  const how = readLaunch(process.env, process.argv.slice(2));
  let end: (graceS: number) => void = () => {};
  const asked = new Promise<number>((resolve) => (end = (graceS) => resolve(graceS || how.drainS)));
  const plugin = new Plugin(basename(process.argv[1] ?? "plugin").replace(/\.\w+$/, ""), how.token, parts, end);
  beginLog(plugin.name, how.handshake, process.env.HECTOR_LOG_LEVEL);
  process.stderr.on("error", () => {}); // whoever read the log is gone: nobody is left to be told
  process.on("uncaughtException", (error) => log.error("nobody caught an error", { error }));
  watchForTheEnd(how, () => end(0));
  const listens = await listen(plugin, how.listen);
  log.debug("serving", { address: listens });
  if (how.handshake) writeLine(lineFor(listens));
  else log.info("listening", { address: listens });
  await plugin.stop(await asked);
}

async function listen(plugin: Plugin, address: string): Promise<string> {
  const port = await new Promise<number>((resolve, reject) =>
    plugin.server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(new NotStarted(`cannot listen on ${address}: ${error.message}`, EXIT_FAILURE)) : resolve(port),
    ),
  );
  return address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`);
}

function watchForTheEnd(how: Launch, end: () => void): void {
  process.on("SIGTERM", end);
  process.on("SIGINT", how.handshake ? () => {} : end); // Ctrl-C is for the host, which then ends us
  if (!how.watchStdin) return;
  process.stdin.on("end", end).on("error", end); // the host, which holds the other end, is gone
  process.stdin.resume();
}
