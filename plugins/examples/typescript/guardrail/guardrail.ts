/** A guardrail that takes numbers of payment cards out of texts. */
import { PluginError, service, status } from "@hector/plugin";
import type { Part } from "@hector/plugin/common";
import { Guardrail, Severity, Stage, Verdict } from "@hector/plugin/guardrail";

const CARD = /\b(?:\d[ -]?){12,18}\d\b/g;

export const cards = service(Guardrail, {
  getGuardrailInfo: () => ({ stages: [Stage.USER_INPUT, Stage.MODEL_OUTPUT, Stage.TOOL_RESULT] }),

  checkContent({ stage, parts }) {
    if (stage === Stage.UNSPECIFIED) throw new PluginError(status.INVALID_ARGUMENT, "NO_STAGE", "say the stage");
    const findings = parts.flatMap(findingsIn);
    if (findings.length === 0) return { verdict: Verdict.ALLOW };
    return { verdict: Verdict.MODIFY, findings, parts: parts.map(withoutCards) };
  },
});

function findingsIn({ content }: Part, part: number) {
  const text = content.case === "text" ? content.value : "";
  return [...text.matchAll(CARD)].map((match) => {
    const start = length(text.slice(0, match.index));
    const end = start + length(match[0]);
    return { rule: "pii.card", severity: Severity.HIGH, message: "the number of a payment card", part, start, end };
  });
}

function withoutCards(part: Part) {
  if (part.content.case !== "text") return part;
  return { content: { case: "text" as const, value: part.content.value.replace(CARD, "[card]") } };
}

/** Characters as the contract counts them: "🚀" is one. */
function length(text: string): number {
  return [...text].length;
}
