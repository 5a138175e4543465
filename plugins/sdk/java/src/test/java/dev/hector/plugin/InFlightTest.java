package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Empty;
import com.google.rpc.ErrorInfo;
import dev.hector.common.v1.Part;
import dev.hector.plugin.v1.GetInfoRequest;
import dev.hector.plugin.v1.PluginGrpc;
import dev.hector.tool.v1.ExecuteToolRequest;
import dev.hector.tool.v1.StreamToolRequest;
import dev.hector.tool.v1.ToolProviderGrpc;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.security.MessageDigest;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class InFlightTest {
  private static final int MANY = 400;
  private static final MethodDescriptor<Empty, Empty> COLLECT =
      MethodDescriptor.newBuilder(
              ProtoUtils.marshaller(Empty.getDefaultInstance()), ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .setType(MethodDescriptor.MethodType.CLIENT_STREAMING)
          .setFullMethodName("acme.Collector/Collect")
          .build();

  record Nothing() {}

  record How(boolean forEver) {}

  private final AtomicInteger sent = new AtomicInteger();
  private final AtomicInteger received = new AtomicInteger();
  private final AtomicInteger ahead = new AtomicInteger();
  private final CompletableFuture<Throwable> stopped = new CompletableFuture<>();
  private Running plugin;

  @BeforeEach
  void start() throws IOException {
    var tools =
        new Tools()
            .tool("flood", "Sends more than anybody reads.", How.class, this::flood)
            .tool("assert", "Fails as a wrong assumption does.", Nothing.class, (given, call) -> {
              throw new AssertionError("a secret");
            })
            .tool("refuse", "Refuses with a checked exception.", Nothing.class, (given, call) -> {
              throw new StatusException(Status.RESOURCE_EXHAUSTED.withDescription("too often"));
            });
    var collector =
        ServerServiceDefinition.builder("acme.Collector")
            .addMethod(COLLECT, ServerCalls.<Empty, Empty>asyncClientStreamingCall(answer -> {
              throw new IllegalStateException("a secret");
            }))
            .build();
    plugin = Running.start(new Plugin("sample", "1.0.0").tools(tools).serves(() -> collector), "{}");
  }

  @AfterEach
  void stop() {
    plugin.close();
  }

  private String flood(How given, Call call) {
    var piece = Part.newBuilder().setText("x".repeat(64 << 10)).build();
    try {
      while (given.forEver() || sent.get() < MANY) {
        call.output(piece);
        ahead.accumulateAndGet(sent.incrementAndGet() - received.get(), Math::max);
      }
      return "";
    } catch (StatusRuntimeException left) {
      stopped.complete(left);
      throw left;
    }
  }

  private static StreamToolRequest flood(boolean forEver) {
    return StreamToolRequest.newBuilder().setTool("flood").setParametersJson("{\"forEver\": " + forEver + "}").build();
  }

  private StatusRuntimeException refused(String tool) {
    var request = ExecuteToolRequest.newBuilder().setTool(tool).setParametersJson("{}").build();
    var tools = ToolProviderGrpc.newBlockingStub(plugin.channel());
    return assertThrows(StatusRuntimeException.class, () -> tools.executeTool(request));
  }

  private void livesOn() {
    var info = PluginGrpc.newBlockingStub(plugin.channel()).getInfo(GetInfoRequest.getDefaultInstance());
    assertEquals("sample", info.getName());
  }

  @Test
  void aStreamWaitsForItsReader() throws Exception {
    var digest = MessageDigest.getInstance("SHA-256"); // slower than writing
    var pieces = ToolProviderGrpc.newBlockingStub(plugin.channel()).streamTool(flood(false));
    while (pieces.hasNext()) {
      digest.update(pieces.next().toByteArray());
      received.incrementAndGet();
    }
    assertEquals(MANY + 1, received.get()); // and the result
    assertTrue(ahead.get() < MANY / 4, ahead + " pieces were sent and not read");
  }

  @Test
  void aStreamWithoutAnEndEndsWhenItsCallerLeaves() throws Exception {
    try (var call = Context.current().withCancellation()) {
      call.call(() -> ToolProviderGrpc.newBlockingStub(plugin.channel()).streamTool(flood(true)).next());
    }
    assertEquals(Code.CANCELLED, Status.fromThrowable(stopped.get(30, TimeUnit.SECONDS)).getCode());
  }

  @Test
  void anErrorIsOneFailedCallThatSaysNothingOfWhy() throws Exception {
    var refused = refused("assert");
    assertEquals(Code.INTERNAL, refused.getStatus().getCode());
    assertEquals("the plugin failed; its log says why", refused.getStatus().getDescription());
    assertEquals("PLUGIN_FAILED", reason(refused));
    livesOn();
  }

  @Test
  void aCheckedStatusIsTheStatusOfTheCall() {
    assertEquals(Code.RESOURCE_EXHAUSTED, refused("refuse").getStatus().getCode());
  }

  @Test
  void aLongRefusalArrivesShortened() {
    var request = ExecuteToolRequest.newBuilder().setTool("ß".repeat(20_000)).build();
    var tools = ToolProviderGrpc.newBlockingStub(plugin.channel());
    var refused = assertThrows(StatusRuntimeException.class, () -> tools.executeTool(request));
    assertEquals(Code.NOT_FOUND, refused.getStatus().getCode());
    assertTrue(refused.getStatus().getDescription().matches("there is no tool \"ß+…"));
  }

  @Test
  void aHandlerThatFailsAtOnceFailsAlone() {
    var answer = new CompletableFuture<Code>();
    var call = plugin.channel().newCall(COLLECT, CallOptions.DEFAULT);
    ClientCalls.asyncClientStreamingCall(call, new Verdict(answer));
    assertEquals(Code.INTERNAL, answer.orTimeout(30, TimeUnit.SECONDS).join());
    livesOn();
  }

  @Test
  void whoIsTurnedAwayLearnsTheReason() throws Exception {
    var stranger = PluginGrpc.newBlockingStub(plugin.stranger());
    var refused =
        assertThrows(StatusRuntimeException.class, () -> stranger.getInfo(GetInfoRequest.getDefaultInstance()));
    assertEquals(Code.UNAUTHENTICATED, refused.getStatus().getCode());
    assertEquals("PLUGIN_TOKEN_REQUIRED", reason(refused));
  }

  private static String reason(StatusRuntimeException refused) throws Exception {
    return StatusProto.fromThrowable(refused).getDetails(0).unpack(ErrorInfo.class).getReason();
  }

  /** Knows how a call ended. */
  private record Verdict(CompletableFuture<Code> code) implements StreamObserver<Empty> {
    @Override
    public void onNext(Empty answer) {}

    @Override
    public void onError(Throwable failure) {
      code.complete(Status.fromThrowable(failure).getCode());
    }

    @Override
    public void onCompleted() {
      code.complete(Code.OK);
    }
  }
}
