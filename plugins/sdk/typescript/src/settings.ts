/** The plugin's own configuration, as a zod schema says it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { z } from "zod";

import { Diagnostic_Severity, type DiagnosticSchema } from "./gen/hector/plugin/v1/plugin_pb.js";
import type { Part, Plugin } from "./plugin.js";

type Diagnostic = MessageInitShape<typeof DiagnosticSchema>;

/** Settings for a plugin that does not know their type. */
export interface Checked {
  readonly schemaJson: string;
  /** Check a configuration. */
  read(text: string): Promise<Reading>;
}

/** What became of checking a configuration. */
interface Reading {
  readonly diagnostics: Diagnostic[];
  /** Puts it in force, and gives what went wrong. */
  apply(): Promise<Diagnostic[]>;
}

/** Settings: a part for serve(), and what is in force. */
export class Settings<T extends object> implements Part, Checked {
  readonly schemaJson: string;
  readonly #schema: z.ZodType<T>;
  #apply: (value: T) => void | Promise<void> = () => {};
  #value: T | undefined;

  constructor(schema: z.ZodType<T>) {
    this.#schema = schema;
    this.schemaJson = schemaOf(schema);
    this.#value = defaultsOf(schema);
  }

  /** What the host configured; the schema's defaults until then. */
  get value(): T {
    if (this.#value === undefined) throw new Error("the plugin is not configured yet, and its settings have no defaults that are known to hold");
    return this.#value;
  }

  /** What has to be done before new settings come in force, such as to connect. If it fails, the ones before stay. */
  onConfigure(apply: (value: T) => void | Promise<void>): this {
    this.#apply = apply;
    return this;
  }

  join(plugin: Plugin): void {
    plugin.settings = this;
  }

  async read(text: string): Promise<Reading> {
    const given = parsed(text);
    if (given === undefined) return refused([problem("", "the configuration is no JSON object")]);
    const checked = await this.#schema.safeParseAsync(given);
    if (!checked.success) return refused(checked.error.issues.flatMap(explain));
    return { diagnostics: [], apply: () => this.#take(checked.data) };
  }

  async #take(value: T): Promise<Diagnostic[]> {
    try {
      await this.#apply(value);
    } catch (error) {
      return [problem("", error instanceof Error ? error.message : String(error))];
    }
    this.#value = value;
    return [];
  }
}

/** What is never shown, as an API key: `secret()`, or `secret(z.string().min(20))`. */
export function secret<T extends z.ZodType = z.ZodString>(value?: T): T {
  return ((value ?? z.string()) as T).meta({ writeOnly: true }); // zod forgets it when anything is added behind it
}

/**
 * Describe the plugin's settings: `settings({ suffix: z.string().default("") })`.
 *
 * Give the result to serve(); `.value` then holds what is in force. Keys that are not described are refused.
 */
export function settings<Shape extends z.ZodRawShape>(shape: Shape): Settings<z.output<z.ZodObject<Shape, z.core.$strict>>> {
  return new Settings(z.strictObject(shape));
}

function defaultsOf<T>(schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse({}).data;
  } catch (error) {
    if (error instanceof z.core.$ZodAsyncError) return undefined; // whether they hold is known once they are configured
    throw error;
  }
}

function refused(diagnostics: Diagnostic[]): Reading {
  return { diagnostics, apply: () => Promise.resolve([]) };
}

/** Give a schema as JSON Schema, as who fills it in sees it: what has a default may be left out. */
export function schemaOf(schema: z.ZodType): string {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return JSON.stringify(rest);
}

function parsed(text: string): object | undefined {
  try {
    const given: unknown = JSON.parse(text || "{}");
    return typeof given === "object" && given !== null && !Array.isArray(given) ? given : undefined;
  } catch {
    return undefined;
  }
}

function explain(issue: z.core.$ZodIssue): Diagnostic[] {
  const place = issue.path.map(pointed).join("");
  if (issue.code !== "unrecognized_keys") return [problem(place, issue.message)];
  return issue.keys.map((key) => problem(place + pointed(key), `"${key}" is no setting of this plugin`));
}

function pointed(key: PropertyKey): string {
  return "/" + String(key).replaceAll("~", "~0").replaceAll("/", "~1");
}

function problem(path: string, summary: string): Diagnostic {
  return { severity: Diagnostic_Severity.ERROR, path, summary };
}
