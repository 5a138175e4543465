/** Makes a tool of a function. */
import { create, isMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { z } from "zod";

import type { Call } from "./call.js";
import { PluginError, Problem } from "./errors.js";
import { ToolSchema, type ToolAnnotationsSchema } from "./gen/hector/common/v1/tool_pb.js";
import { ExecuteToolResponseSchema, type ExecuteToolResponse } from "./gen/hector/tool/v1/tool_pb.js";
import type { Part } from "./plugin.js";
import { schemaOf } from "./settings.js";

/** Hints for hosts and models: `{ readOnly: true, idempotent: true }`. */
export type Hints = MessageInitShape<typeof ToolAnnotationsSchema>;

/**
 * Offer a function as a tool.
 *
 * @param name Letters, digits, "_" and "-".
 * @param description When to use it and what it does; models read this.
 * @param parameters Its arguments: `{ text: z.string().describe("The text.") }`.
 * @param run Gets arguments that match. What it returns is for the model: a string as it is, a message made with
 *   ExecuteToolResponseSchema as it is, anything else as JSON. A `Problem` it throws is for the model too.
 */
export function tool<Shape extends z.ZodRawShape>(
  name: string,
  description: string,
  parameters: Shape,
  run: (args: z.infer<z.ZodObject<Shape>>, call: Call) => unknown,
  hints: Hints = {},
): Part {
  const schema = z.strictObject(parameters);
  const listed = create(ToolSchema, { name, description, parametersJson: schemaOf(schema), annotations: hints });
  const execute = async (text: string, dryRun: boolean, call: Call): Promise<ExecuteToolResponse> => {
    const checked = await schema.safeParseAsync(parsed(text, name));
    if (!checked.success) throw invalid(name, z.prettifyError(checked.error));
    if (dryRun) return create(ExecuteToolResponseSchema, { success: true, result: `would run ${name}` });
    try {
      return responseOf(await run(checked.data as z.infer<z.ZodObject<Shape>>, call));
    } catch (error) {
      if (error instanceof Problem) return create(ExecuteToolResponseSchema, { error: error.message });
      throw error;
    }
  };
  return { join: (plugin) => plugin.addTool({ listed, execute }) };
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text || "{}");
  } catch {
    throw invalid(name, "they are no JSON");
  }
}

function invalid(name: string, why: string): PluginError {
  return new PluginError(status.INVALID_ARGUMENT, "TOOL_ARGUMENTS_INVALID", `arguments of "${name}": ${why}`);
}

function responseOf(result: unknown): ExecuteToolResponse {
  if (typeof result === "string") return create(ExecuteToolResponseSchema, { success: true, result });
  if (isMessage(result, ExecuteToolResponseSchema)) return result;
  const text = JSON.stringify(result ?? null, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  return create(ExecuteToolResponseSchema, { success: true, result: text, structuredJson: text });
}
