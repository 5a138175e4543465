/** Two tools: upper turns a text into upper case, wait waits. */
import { setTimeout } from "node:timers/promises";

import { Problem, settings, tool, z } from "@hector/plugin";

export const config = settings({ suffix: z.string().default("").describe("What is put behind each text.") });

const harmless = { readOnly: true, idempotent: true };

export const upper = tool(
  "upper",
  "Turns a text into upper case.",
  { text: z.string().describe("The text.") },
  ({ text }) => text.toUpperCase() + config.value.suffix,
  harmless,
);

export const wait = tool(
  "wait",
  "Waits for some seconds.",
  { seconds: z.number().describe("How long.") },
  async ({ seconds }, call) => {
    if (seconds < 0) throw new Problem("seconds must not be negative");
    call.progress(0, seconds, "waiting");
    return setTimeout(seconds * 1000, "waited", { signal: call.signal }); // stops when nobody waits for it any more
  },
  harmless,
);
