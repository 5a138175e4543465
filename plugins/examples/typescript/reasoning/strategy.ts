/** A reasoning strategy: one-shot asks the model once, has its tools called, and finishes. */
import { PluginError, service, status } from "@hector/plugin";
import { ReasoningStrategy, type Observation, type State } from "@hector/plugin/reasoning";

const VERSION = 1;

export const oneShot = service(ReasoningStrategy, {
  initialize: () => ({ success: true, state: stateAt(0) }),

  processIteration({ state, observations }) {
    switch (stepOf(state)) {
      case 0:
        return act(1, [{ id: "ask-1", action: { case: "ask" as const, value: {} } }]);
      case 1: {
        const calls = observations.flatMap(callsOf);
        const actions = calls.map((call, i) => ({ id: `tool-${i + 1}`, action: { case: "toolCall" as const, value: call } }));
        return calls.length > 0 ? act(2, actions) : finish(state, "");
      }
      default:
        return finish(state, observations.flatMap(resultsOf).join("\n"));
    }
  },

  finalize({ state, truncated }) {
    stepOf(state);
    return { success: true, result: truncated ? "The limit was reached before the answer was complete." : "" };
  },
});

function act<A>(next: number, actions: A[]) {
  return { success: true, state: stateAt(next), actions };
}

function finish(state: State | undefined, result: string) {
  return { success: true, state, done: true, finalized: true, result };
}

function callsOf({ result }: Observation) {
  if (result.case === "error" && result.value) throw new PluginError(status.ABORTED, "ASK_FAILED", result.value);
  if (result.case !== "message") return [];
  return result.value.parts.flatMap(({ content }) => (content.case === "toolCall" ? [content.value] : []));
}

function resultsOf({ result }: Observation): string[] {
  if (result.case === "error") return [result.value];
  if (result.case !== "toolResult") return [];
  return result.value.parts.flatMap(({ content }) => (content.case === "text" ? [content.value] : []));
}

// The state is all that the strategy remembers: it travels with each call, so any process can go on from it.
function stateAt(step: number) {
  return { data: Buffer.from(JSON.stringify({ step })), contentType: "application/json", version: VERSION };
}

function stepOf(state: State | undefined): number {
  try {
    const { step } = JSON.parse(Buffer.from(state?.data ?? []).toString());
    if (state?.version === VERSION && [0, 1, 2].includes(step)) return step;
  } catch {
    // no JSON: refused below
  }
  const message = `the state has version ${state?.version ?? 0} and is no step from 0 to 2 in JSON of version ${VERSION}`;
  throw new PluginError(status.FAILED_PRECONDITION, "STATE_UNREADABLE", message);
}
