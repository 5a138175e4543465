/** The contracts hector.plugin.v1: what every plugin serves, and what its host does for it. */
export * from "../gen/hector/plugin/v1/host_pb.js";
export * from "../gen/hector/plugin/v1/plugin_pb.js";
