/** The contract hector.reasoning.v1: its types and its service. */
export * from "../gen/hector/reasoning/v1/reasoning_pb.js";
