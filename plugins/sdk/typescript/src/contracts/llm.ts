/** The contract hector.llm.v1: its types and its service. */
export * from "../gen/hector/llm/v1/llm_pb.js";
