package dev.hector.plugin;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/** How a plugin learns that it is to end: an rpc, a signal, or a host that is gone. */
final class Ending {
  private final CompletableFuture<Duration> asked = new CompletableFuture<>();
  private final Duration drain;

  Ending(Duration drain) {
    this.drain = drain;
  }

  /** Asks for the end, with the usual time for calls in flight. */
  void ask() {
    ask(drain);
  }

  /** Asks for the end; the first who does decides how long calls in flight may take. */
  void ask(Duration grace) {
    asked.complete(grace);
  }

  boolean isAsked() {
    return asked.isDone();
  }

  /** Waits until somebody asks; gives the time that calls in flight have. */
  Duration await() throws InterruptedException {
    try {
      return asked.get();
    } catch (ExecutionException never) {
      throw new IllegalStateException(never);
    }
  }

  /** Listens to SIGTERM, and to Ctrl-C where it is not the host's to handle. */
  void onSignals(boolean interrupt) {
    // A shutdown hook would make the exit code 143; a plugin that was asked to end leaves with 0.
    Signal.handle(new Signal("TERM"), signal -> ask());
    Signal.handle(new Signal("INT"), interrupt ? signal -> ask() : SignalHandler.SIG_IGN);
  }

  /** Takes the end of standard input for the end of the host, which holds the other end. */
  void onEndOfStdin() {
    var watch = new Thread(this::watchStdin, "watch-stdin");
    watch.setDaemon(true);
    watch.start();
  }

  private void watchStdin() {
    try {
      while (System.in.read(new byte[4096]) >= 0) {
        // what it says does not matter
      }
    } catch (IOException gone) {
      // so is the host
    }
    ask();
  }
}
