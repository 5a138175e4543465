/** The contract hector.guardrail.v1: its types and its service. */
export * from "../gen/hector/guardrail/v1/guardrail_pb.js";
