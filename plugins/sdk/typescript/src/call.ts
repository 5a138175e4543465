/** The call that is being served: for whom, for which entry of the configuration, and until when. */
import { EventEmitter } from "node:events";

import { Metadata } from "@grpc/grpc-js";

import { client, type Client } from "./client.js";
import { HostServices } from "./gen/hector/plugin/v1/host_pb.js";
import type { ToolContext } from "./gen/hector/tool/v1/tool_pb.js";
import type { Setup } from "./setup.js";

/** Shows how far a tool is to who watches it. */
export interface Watcher {
  progress(done: number, total: number, message: string): void;
  output(text: string): void;
}

/** One call, as a handler gets it. */
export class Call {
  readonly #setup: Setup;
  readonly #leaving: Leaving;
  readonly #watcher: Watcher | undefined;

  constructor(
    setup: Setup,
    /** What travelled with the call beside its message. */
    readonly metadata: Metadata,
    leaving: Leaving,
    /** When the call's time is over. */
    readonly deadline: Date | undefined,
    /** For whom a tool runs: session, run, agent, the effect's id, state. */
    readonly tool?: ToolContext,
    watcher?: Watcher,
  ) {
    this.#setup = setup;
    this.#leaving = leaving;
    this.#watcher = watcher;
  }

  /** Aborts when the caller has left or the call's time is over: hand it on to whatever waits. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  /** The same call, for a tool. */
  forTool(tool: ToolContext | undefined, watcher?: Watcher): Call {
    return new Call(this.#setup, this.metadata, this.#leaving, this.deadline, tool, watcher);
  }

  /** One header, empty if it is not there. */
  header(name: string): string {
    return this.metadata.get(name).join("");
  }

  /** The entry of the host's configuration that the call is for, for example "tools.search". */
  get instance(): string {
    return decoded(this.header("hector-instance"));
  }

  /** Which of the plugin's things the entry means, for example a model, where it says `plugin:NAME:COMPONENT`. */
  get component(): string {
    return this.#setup.instances.get(this.instance)?.component ?? "";
  }

  /** That entry's own settings. */
  get instanceConfig(): unknown {
    return JSON.parse(this.#setup.instances.get(this.instance)?.configJson || "{}");
  }

  /** A folder that the plugin may write to, and finds again when it is started again. */
  get dataDir(): string {
    return this.#setup.dataDir;
  }

  /**
   * What the host does for the plugin: models, tools, embedders, state, its log. Whom the plugin works for, and until when,
   * goes on with it. What was not granted is PERMISSION_DENIED.
   */
  get host(): Client<typeof HostServices> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(this.metadata.getMap())) {
      if (name === "traceparent" || name === "tracestate" || name.startsWith("hector-")) metadata.set(name, value);
    }
    const token = process.env.HECTOR_PLUGIN_TOKEN;
    if (token) metadata.set("hector-token", token);
    return client(HostServices, this.#setup.host(), { metadata, signal: this.signal, deadline: this.deadline });
  }

  /** Show how far a tool is, to callers who watch it; `total` is zero where it is not known. */
  progress(done: number, total = 0, message = ""): void {
    this.#watcher?.progress(done, total, message);
  }

  /** Show a piece of what a tool puts out; its result has to have it all. */
  output(text: string): void {
    this.#watcher?.output(text);
  }
}

/** Metadata is plain ASCII: what is not travels percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody's percent sign
  }
}

/** What grpc-js gives a handler, as far as a Call needs it. */
interface Incoming extends EventEmitter {
  metadata: Metadata;
  cancelled: boolean;
  getDeadline(): Date | number;
}

/** The signal of one call, made when somebody wants it: most calls are over before, and a signal costs more than they do. */
class Leaving {
  #signal: AbortSignal | undefined;

  constructor(readonly incoming: Incoming) {}

  get signal(): AbortSignal {
    if (this.#signal) return this.#signal;
    const controller = new AbortController();
    if (this.incoming.cancelled) controller.abort(LEFT);
    else this.incoming.once("cancelled", () => controller.abort(LEFT)); // grpc-js says so of calls that have ended, too
    return (this.#signal = controller.signal);
  }
}

const LEFT = new DOMException("the caller has left, or the call's time is over", "AbortError");

/** Make a Call of what grpc-js gives a handler. */
export function callOf(setup: Setup, incoming: Incoming): Call {
  const until = incoming.getDeadline();
  const deadline = until instanceof Date ? until : Number.isFinite(until) ? new Date(until) : undefined;
  return new Call(setup, incoming.metadata, new Leaving(incoming), deadline);
}
