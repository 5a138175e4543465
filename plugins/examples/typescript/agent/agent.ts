/** An agent of its own: it greets who talks to it, and knows how often they have met. */
import { PluginError, service, status } from "@hector/plugin";
import { AgentProvider } from "@hector/plugin/agent";
import type { Message } from "@hector/plugin/common";

const NAME = "greeter";

export const greeter = service(AgentProvider, {
  describeAgents: () => ({ agents: [{ name: NAME, description: "Greets, and counts.", streaming: true }] }),

  async *runAgent({ agent, message, stateJson }) {
    if (agent !== NAME) {
      throw new PluginError(status.NOT_FOUND, "AGENT_NOT_FOUND", `there is no agent "${agent}" here, but "${NAME}"`);
    }
    const said = textOf(message).trim();
    if (!said) {
      yield { event: { case: "requireInput", value: "What shall I call you?" } };
      return; // the answer is another run
    }
    const met = metIn(stateJson) + 1;
    yield { event: { case: "text", value: `Hello! You said: ${said}\n` } };
    yield { event: { case: "text", value: `Times that we have met: ${met}.` } };
    yield { event: { case: "stateDeltaJson", value: JSON.stringify({ met }) } };
  },
});

function textOf(message: Message | undefined): string {
  return (message?.parts ?? []).map(({ content }) => (content.case === "text" ? content.value : "")).join("");
}

// What the agent remembers of a session is kept by the host, and comes with each run.
function metIn(stateJson: string): number {
  try {
    const met: unknown = JSON.parse(stateJson || "{}").met;
    return typeof met === "number" ? met : 0;
  } catch {
    throw new PluginError(status.INVALID_ARGUMENT, "STATE_UNREADABLE", "the session's state is no JSON object");
  }
}
