/** What Hector tells a plugin that it starts: hashicorp/go-plugin's handshake, version 1. */
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { COOKIE } from "./stdout.js";

const APP_VERSION = "1";
const EXIT_USAGE = 64;
const EXIT_PROTOCOL = 78; // tells the host not to try again
const USUAL_DRAIN_S = 5;

/** What one start of a plugin was told. */
export interface Launch {
  /** As grpc-js takes it: "unix:/path" or "127.0.0.1:0". */
  readonly listen: string;
  /** What callers have to show; empty means that nobody has to. */
  readonly token: string;
  /** How long calls in flight may take once the plugin is to end. */
  readonly drainS: number;
  /** The end of standard input means that the host is gone. */
  readonly watchStdin: boolean;
  /** Somebody waits for the line on standard output. */
  readonly handshake: boolean;
}

/** Why a plugin does not even begin, and the code it leaves with. */
export class NotStarted extends Error {
  constructor(
    sentence: string,
    readonly code: number,
  ) {
    super(sentence);
  }
}

/** Read what the host said, or a person who tries the plugin. */
export function readLaunch(environment: NodeJS.ProcessEnv, args: readonly string[]): Launch {
  const drainS = Number(environment.HECTOR_DRAIN_S ?? "");
  const told = {
    token: environment.HECTOR_PLUGIN_TOKEN ?? "",
    drainS: Number.isFinite(drainS) && environment.HECTOR_DRAIN_S ? drainS : USUAL_DRAIN_S,
    watchStdin: false,
    handshake: false,
  };
  if (args[0] === "--standalone") {
    const listen = args[1];
    if (listen === undefined || args.length > 2) {
      const sentence = "--standalone needs an address to listen on, as unix:/tmp/plugin.sock or 127.0.0.1:0";
      throw new NotStarted(sentence, EXIT_USAGE);
    }
    return { ...told, listen };
  }
  if (environment[COOKIE[0]] !== COOKIE[1]) {
    throw new NotStarted(
      "this is a plugin: name it under `plugins:` in hector.yaml, " +
        "or try it by itself with --standalone unix:/tmp/plugin.sock",
      EXIT_USAGE,
    );
  }
  const offered = environment.PLUGIN_PROTOCOL_VERSIONS ?? APP_VERSION;
  if (!offered.split(",").includes(APP_VERSION)) {
    const sentence = `this plugin speaks version ${APP_VERSION} of the protocol; the host offers ${offered}`;
    throw new NotStarted(sentence, EXIT_PROTOCOL);
  }
  const folder = environment.PLUGIN_UNIX_SOCKET_DIR || tmpdir();
  const socket = join(folder, `plugin-${randomBytes(4).toString("hex")}.sock`);
  return { ...told, listen: `unix:${socket}`, handshake: true, watchStdin: environment.HECTOR_STDIN_WATCH === "1" };
}

/** Give what the host waits for on standard output, given where the plugin listens. */
export function lineFor(listen: string): string {
  const [network, address] = listen.startsWith("unix:") ? ["unix", listen.slice("unix:".length)] : ["tcp", listen];
  return `1|${APP_VERSION}|${network}|${address}|grpc|\n`;
}
