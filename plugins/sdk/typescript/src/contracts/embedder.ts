/** The contract hector.embedder.v1: its types and its service. */
export * from "../gen/hector/embedder/v1/embedder_pb.js";
