package dev.hector.plugin;

import io.grpc.Context;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * One call while it is served. Neither what its handler throws, nor a caller who left, nor one who reads slower than the
 * handler writes does harm to others.
 */
final class InFlight<Q, A> extends SimpleForwardingServerCall<Q, A> {
  private static final long FIRST_PAUSE_NS = TimeUnit.MICROSECONDS.toNanos(100);
  private static final long LONGEST_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final Logger log = Logger.getLogger(HclogLines.SDK);

  private volatile boolean closed;
  private volatile boolean failed;

  private InFlight(ServerCall<Q, A> call) {
    super(call);
  }

  /** Serves a call; {@code over} is run once, when its last byte is sent or its caller has left. */
  static <Q, A> ServerCall.Listener<Q> begin(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> handler, Runnable over) {
    var served = new InFlight<>(call);
    try {
      return served.new Careful(handler.startCall(served, headers), over);
    } catch (Throwable failure) {
      served.fail(failure);
      return served.new Careful(new ServerCall.Listener<>() {}, over);
    }
  }

  /** Waits until the reader has read: what nobody reads would pile up here, for gRPC takes whatever it is given. */
  @Override
  public void sendMessage(A message) {
    for (long pause = FIRST_PAUSE_NS; !isReady() && !closed; pause = Math.min(2 * pause, LONGEST_PAUSE_NS)) {
      if (isCancelled() || Thread.currentThread().isInterrupted()) {
        throw Status.CANCELLED.withDescription("the caller has left").asRuntimeException();
      }
      LockSupport.parkNanos(pause); // that it is ready is told on this thread, after the handler
    }
    super.sendMessage(message);
  }

  @Override
  public void close(Status status, Metadata trailers) {
    closed = true;
    super.close(status, trailers);
  }

  /** Ends the call with what its handler threw. */
  private void fail(Throwable thrown) {
    failed = true;
    var failure = thrown instanceof ToolService.Unforeseen ? thrown.getCause() : thrown;
    if (failure instanceof StatusRuntimeException refused) {
      refuse(refused.getStatus(), refused.getTrailers());
    } else if (failure instanceof StatusException refused) {
      refuse(refused.getStatus(), refused.getTrailers());
    } else {
      var level = isCancelled() ? Level.FINE : Level.SEVERE; // who is interrupted may throw anything
      log.log(level, "the handler of " + getMethodDescriptor().getFullMethodName() + " failed", failure);
      var refused = Refused.with(Code.INTERNAL, "PLUGIN_FAILED", "the plugin failed; its log says why");
      refuse(refused.getStatus(), refused.getTrailers());
    }
  }

  private void refuse(Status status, Metadata trailers) {
    if (!closed) {
      close(status, trailers == null ? new Metadata() : trailers);
    }
  }

  /** What happens to the call, handed on to its handler. */
  private final class Careful extends SimpleForwardingServerCallListener<Q> {
    private final Runnable over;

    Careful(ServerCall.Listener<Q> handler, Runnable over) {
      super(handler);
      this.over = over;
    }

    @Override
    public void onMessage(Q message) {
      run(() -> super.onMessage(message));
    }

    @Override
    public void onHalfClose() {
      run(super::onHalfClose);
    }

    @Override
    public void onReady() {
      run(super::onReady);
    }

    @Override
    public void onComplete() {
      over.run();
      super.onComplete();
    }

    @Override
    public void onCancel() {
      over.run();
      super.onCancel();
    }

    private void run(Runnable handler) {
      if (failed) {
        return;
      }
      var running = new Interruptible(Thread.currentThread());
      Context.CancellationListener left = context -> running.interrupt();
      Context.current().addListener(left, Runnable::run);
      try {
        handler.run();
      } catch (Throwable failure) { // nothing of it may reach other calls
        fail(failure);
      } finally {
        Context.current().removeListener(left);
        running.leave();
      }
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
