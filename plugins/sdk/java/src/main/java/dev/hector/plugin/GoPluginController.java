package dev.hector.plugin;

import com.google.protobuf.Empty;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;

/** go-plugin's own way to end a plugin, for hosts that know no other; its messages are empty. */
final class GoPluginController {
  private static final String SERVICE = "plugin.GRPCController";

  private GoPluginController() {}

  static ServerServiceDefinition ending(Ending end) {
    var empty = ProtoUtils.marshaller(Empty.getDefaultInstance());
    MethodDescriptor<Empty, Empty> shutdown =
        MethodDescriptor.newBuilder(empty, empty)
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Shutdown"))
            .build();
    return ServerServiceDefinition.builder(SERVICE)
        .addMethod(
            shutdown,
            ServerCalls.asyncUnaryCall(
                (request, answer) -> {
                  answer.onNext(Empty.getDefaultInstance());
                  answer.onCompleted();
                  end.ask();
                }))
        .build();
  }
}
