/** The contract hector.document.v1: its types and its service. */
export * from "../gen/hector/document/v1/document_pb.js";
