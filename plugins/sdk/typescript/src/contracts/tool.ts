/** The contract hector.tool.v1: its types and its service. */
export * from "../gen/hector/tool/v1/tool_pb.js";
