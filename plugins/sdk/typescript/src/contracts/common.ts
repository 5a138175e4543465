/** What the contracts share: messages, their parts, tools, filters. */
export * from "../gen/hector/common/v1/filter_pb.js";
export * from "../gen/hector/common/v1/message_pb.js";
export * from "../gen/hector/common/v1/tool_pb.js";
