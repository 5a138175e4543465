/** The contract hector.agent.v1.AgentProvider: its types and its service. */
export * from "../gen/hector/agent/v1/agent_pb.js";
export * from "../gen/hector/agent/v1/artifact_pb.js";
export * from "../gen/hector/agent/v1/provider_pb.js";
