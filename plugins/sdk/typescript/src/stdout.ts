/** Keeps standard output for the handshake: a stray print must not be taken for it. */
import { writeSync } from "node:fs";

/** A variable and its value: no secret, but how a plugin knows that it was not started by hand. */
export const COOKIE = ["HECTOR_PLUGIN", "hector_plugin_v1"] as const;

let taken = false;

/** Send what is printed from now on to standard error, the host's log. */
export function takeStdout(): void {
  if (taken) return;
  taken = true;
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
}

/** Write the handshake's line, at once. */
export function writeLine(line: string): void {
  writeSync(1, line);
}

// A program that Hector starts loses it as soon as this package is loaded; any other keeps it until it calls serve().
if (process.env[COOKIE[0]] === COOKIE[1]) takeStdout();
