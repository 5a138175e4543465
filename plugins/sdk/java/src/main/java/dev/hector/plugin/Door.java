package dev.hector.plugin;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The one way in: looks at the token, turns calls away while the plugin ends, counts those in flight, interrupts those
 * whose caller left, and keeps a failing handler from being more than one failed call.
 */
final class Door implements ServerInterceptor {
  static final Metadata.Key<String> TOKEN = Caller.key("hector-token");
  private static final String HEALTH = "grpc.health.v1.Health";
  private static final Logger log = Logger.getLogger(HclogLines.SDK);

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
    var refusal = refusal(health, headers.get(TOKEN));
    if (refusal != null) {
      call.close(refusal, new Metadata());
      return new ServerCall.Listener<>() {};
    }
    headers.discardAll(TOKEN); // nobody's business behind the door
    if (health) {
      return next.startCall(call, headers); // who watches health is no call in flight
    }
    var context = Context.current().withValue(Caller.CURRENT, new Caller(headers));
    var counted = new Counted<>(call);
    return new Careful<>(Contexts.interceptCall(context, counted, headers, next), counted);
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
  private Status refusal(boolean health, String shown) {
    if (token.length > 0 && !(shown == null && health)) {
      if (shown == null || !MessageDigest.isEqual(shown.getBytes(StandardCharsets.UTF_8), token)) {
        var what = shown == null ? "no" : "another";
        return Status.UNAUTHENTICATED.withDescription(
            "the call shows " + what + " hector-token: the host has the right one");
      }
    }
    return end.isAsked() && !health
        ? Status.UNAVAILABLE.withDescription("the plugin is stopping; call its successor")
        : null;
  }

  private synchronized void count(int change) {
    inFlight += change;
    notifyAll();
  }

  /** A call that is in flight until it is closed or cancelled, whichever is first. */
  private final class Counted<Q, A> extends SimpleForwardingServerCall<Q, A> {
    private boolean over;

    Counted(ServerCall<Q, A> call) {
      super(call);
      count(1);
    }

    @Override
    public void close(Status status, Metadata trailers) {
      super.close(status, trailers);
    }

    synchronized void over() {
      if (!over) {
        over = true;
        count(-1);
      }
    }
  }

  /** Runs a handler so that neither what it throws nor a caller who left does harm. */
  private static final class Careful<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Counted<Q, ?> call;

    Careful(ServerCall.Listener<Q> handler, Counted<Q, ?> call) {
      super(handler);
      this.call = call;
    }

    @Override
    public void onHalfClose() {
      var running = new Interruptible(Thread.currentThread());
      Context.CancellationListener left = context -> running.interrupt();
      Context.current().addListener(left, Runnable::run);
      try {
        super.onHalfClose();
      } catch (StatusRuntimeException refused) {
        var trailers = refused.getTrailers();
        call.close(refused.getStatus(), trailers == null ? new Metadata() : trailers);
      } catch (RuntimeException | StackOverflowError failed) {
        var cause = failed instanceof ToolService.Unforeseen ? failed.getCause() : failed;
        log.log(Level.SEVERE, "the handler of " + call.getMethodDescriptor().getFullMethodName() + " failed", cause);
        call.close(Status.INTERNAL.withDescription("the plugin failed; its log says why"), new Metadata());
      } finally {
        Context.current().removeListener(left);
        running.leave();
      }
    }

    @Override
    public void onComplete() {
      call.over();
      super.onComplete();
    }

    @Override
    public void onCancel() {
      call.over();
      super.onCancel();
    }
  }

  /** A thread that may be interrupted for as long as it works on one call. */
  private static final class Interruptible {
    private final Thread thread;
    private boolean left;

    Interruptible(Thread thread) {
      this.thread = thread;
    }

    synchronized void interrupt() {
      if (!left) {
        thread.interrupt();
      }
    }

    synchronized void leave() {
      left = true;
      Thread.interrupted(); // the next call on this thread has nothing to do with it
    }
  }
}
