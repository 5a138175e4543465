/** The contract hector.vector.v1: its types and its service. */
export * from "../gen/hector/vector/v1/vector_pb.js";
