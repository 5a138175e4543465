/** A language model: echo says what the user said. */
import { PluginError, service, status } from "@hector/plugin";
import { Role, type Message } from "@hector/plugin/common";
import { FinishReason, LLMProvider, type GenerateTextRequest, type StreamTextRequest } from "@hector/plugin/llm";

const MODEL = "echo";

export const echo = service(LLMProvider, {
  listModels: () => ({ models: [{ name: MODEL, displayName: "Echo", supportsStreaming: true }] }),

  generateText(request) {
    const { text, usage } = answer(request);
    const message = { role: Role.ASSISTANT, parts: [{ content: { case: "text" as const, value: text } }] };
    return { text, message, usage, finishReason: FinishReason.STOP, model: MODEL };
  },

  async *streamText(request) {
    const { text, usage } = answer(request);
    for (const piece of text.split(/(?<= )/)) {
      if (piece) yield { text: piece };
    }
    yield { done: true, usage, finishReason: FinishReason.STOP, model: MODEL };
  },
});

function answer(request: GenerateTextRequest | StreamTextRequest) {
  if (request.model && request.model !== MODEL) {
    const message = `there is no model "${request.model}" here, but "${MODEL}"`;
    throw new PluginError(status.NOT_FOUND, "MODEL_NOT_FOUND", message);
  }
  const texts = request.messages.map(textOf);
  const last = request.messages.findLastIndex((message) => message.role === Role.USER);
  const text = texts.length > 0 ? texts[last] : request.prompt || undefined;
  if (text === undefined) {
    const message = "there is no message of the role user, and no prompt";
    throw new PluginError(status.INVALID_ARGUMENT, "NOTHING_TO_ECHO", message);
  }
  const read = texts.length > 0 ? texts.reduce((sum, one) => sum + words(one), 0n) : words(text);
  const written = words(text);
  return { text, usage: { promptTokens: read, completionTokens: written, totalTokens: read + written } };
}

function textOf(message: Message): string {
  return message.parts.map(({ content }) => (content.case === "text" ? content.value : "")).join("");
}

function words(text: string): bigint {
  return BigInt(text.match(/\S+/g)?.length ?? 0);
}
