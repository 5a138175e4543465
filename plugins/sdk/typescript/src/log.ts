/** The plugin's log: hclog's JSON for a host, plain lines for a person. */
import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];
type Facts = Readonly<Record<string, unknown>>;

/** Facts of the call that is being served; they go into each of its lines. */
export const serving = new AsyncLocalStorage<Facts>();

let module = "plugin";
let asJson = false;
let least = LEVELS.indexOf("info");

/** Say how to log from now on. */
export function beginLog(name: string, json: boolean, level: string | undefined): void {
  module = name;
  asJson = json;
  const found = LEVELS.indexOf((level ?? "info").toLowerCase() as Level);
  least = found < 0 ? LEVELS.indexOf("info") : found;
}

function write(level: Level, message: string, facts: Facts = {}): void {
  if (LEVELS.indexOf(level) < least) return;
  const all = { ...serving.getStore(), ...facts };
  if (!asJson) {
    const told = Object.entries(all).map(([name, value]) => ` ${name}=${value instanceof Error ? value.message : spelled(value)}`);
    process.stderr.write(`[${level.toUpperCase()}] ${message}${told.join("")}\n`);
    return;
  }
  const head = { "@level": level, "@message": message, "@module": module, "@timestamp": new Date().toISOString() };
  process.stderr.write(spelled({ ...all, ...head }, () => spelled({ ...head, facts: inspect(all) })) + "\n");
}

/** Give a value as JSON, and what has no JSON form as Node shows it: a line of the log must not end the call that it tells of. */
function spelled(value: unknown, otherwise: () => string = () => inspect(value)): string {
  try {
    return JSON.stringify(value, spell);
  } catch {
    return otherwise();
  }
}

function spell(_: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === "bigint" ? value.toString() : value;
}

/** Write a line: what happened, and facts. No secrets. */
export const log = {
  trace: (message: string, facts?: Facts): void => write("trace", message, facts),
  debug: (message: string, facts?: Facts): void => write("debug", message, facts),
  info: (message: string, facts?: Facts): void => write("info", message, facts),
  warn: (message: string, facts?: Facts): void => write("warn", message, facts),
  error: (message: string, facts?: Facts): void => write("error", message, facts),
};
