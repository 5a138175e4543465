package dev.hector.plugin;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

/** The one way in: looks at the token, turns calls away while the plugin ends, and counts those in flight. */
final class Door implements ServerInterceptor {
  static final Metadata.Key<String> TOKEN = Caller.key("hector-token");
  private static final String HEALTH = "grpc.health.v1.Health";

  private final byte[] token;
  private final Ending end;
  private int inFlight;

  Door(String token, Ending end) {
    this.token = token.getBytes(StandardCharsets.UTF_8);
    this.end = end;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    boolean health = HEALTH.equals(call.getMethodDescriptor().getServiceName());
    var shown = headers.get(TOKEN);
    if (!fits(shown, health)) {
      var what = shown == null ? "no" : "another";
      var sentence = "the call shows " + what + " hector-token: the host has the right one";
      return refused(call, Refused.with(Code.UNAUTHENTICATED, "PLUGIN_TOKEN_REQUIRED", sentence));
    }
    headers.discardAll(TOKEN); // nobody's business behind the door
    if (health) {
      return next.startCall(call, headers); // who watches health is no call in flight
    }
    count(1); // before the look at the end: who waits for quiet then overlooks no call that was let in
    if (end.isAsked()) {
      count(-1);
      var sentence = "the plugin is stopping; call its successor";
      return refused(call, Refused.with(Code.UNAVAILABLE, "PLUGIN_STOPPING", sentence));
    }
    var context = Context.current().withValue(Caller.CURRENT, new Caller(headers));
    return Contexts.interceptCall(
        context, call, headers, (served, told) -> InFlight.begin(served, told, next, () -> count(-1)));
  }

  /** Waits until no call is in flight, but not for ever; says whether all are done. */
  synchronized boolean awaitQuiet(long milliseconds) throws InterruptedException {
    long until = System.nanoTime() + milliseconds * 1_000_000;
    while (inFlight > 0) {
      long left = (until - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return true;
  }

  /** Health is answered without a token, since probes have none; a wrong one is refused there too. */
  private boolean fits(String shown, boolean health) {
    if (token.length == 0 || (shown == null && health)) {
      return true;
    }
    return shown != null && MessageDigest.isEqual(shown.getBytes(StandardCharsets.UTF_8), token);
  }

  private static <Q, A> ServerCall.Listener<Q> refused(ServerCall<Q, A> call, StatusRuntimeException why) {
    call.close(why.getStatus(), why.getTrailers());
    return new ServerCall.Listener<>() {};
  }

  private synchronized void count(int change) {
    inFlight += change;
    notifyAll();
  }
}
