package dev.hector.plugin;

import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The socket that a plugin listens on. Unix sockets are the JDK's own, which needs no native library and works wherever
 * the system has them; elsewhere it is TCP on this machine.
 */
final class Listening {
  private final SocketAddress address;
  private final Class<? extends ServerChannel> kind;

  private Listening(SocketAddress address, Class<? extends ServerChannel> kind) {
    this.address = address;
    this.kind = kind;
  }

  static Listening on(String address) {
    if (address.startsWith(Launch.FOLDER)) {
      if (!hasUnixSockets()) {
        return tcp("127.0.0.1:0");
      }
      var name = String.format("p%08x.sock", ThreadLocalRandom.current().nextInt());
      return unix(Path.of(address.substring(Launch.FOLDER.length()), name));
    }
    return address.startsWith("unix:") ? unix(Path.of(address.substring("unix:".length()))) : tcp(address);
  }

  NettyServerBuilder server() {
    return NettyServerBuilder.forAddress(address)
        .channelType(kind)
        .bossEventLoopGroup(Channels.THREAD)
        .workerEventLoopGroup(Channels.THREAD);
  }

  /** What the host waits for on standard output, given where the server really listens. */
  String line(SocketAddress bound) {
    return address instanceof UnixDomainSocketAddress unix
        ? "1|1|unix|" + unix.getPath() + "|grpc|\n"
        : "1|1|tcp|" + tcpTarget(bound) + "|grpc|\n";
  }

  /** The address as gRPC's clients take it. */
  String target(SocketAddress bound) {
    return address instanceof UnixDomainSocketAddress unix ? "unix:" + unix.getPath() : tcpTarget(bound);
  }

  /** Removes the socket's file. */
  void leave() {
    if (address instanceof UnixDomainSocketAddress unix) {
      try {
        Files.deleteIfExists(unix.getPath());
      } catch (IOException gone) {
        // its folder went before it
      }
    }
  }

  private static Listening unix(Path path) {
    return new Listening(UnixDomainSocketAddress.of(path), NioServerDomainSocketChannel.class);
  }

  private static Listening tcp(String address) {
    int colon = address.lastIndexOf(':');
    var host = address.substring(0, Math.max(colon, 0));
    int port = Integer.parseInt(address.substring(colon + 1));
    return new Listening(new InetSocketAddress(host, port), NioServerSocketChannel.class);
  }

  private static String tcpTarget(SocketAddress bound) {
    var address = (InetSocketAddress) bound;
    var host = address.getAddress().getHostAddress();
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
  }

  private static boolean hasUnixSockets() {
    try {
      ServerSocketChannel.open(StandardProtocolFamily.UNIX).close();
      return true;
    } catch (IOException | UnsupportedOperationException none) {
      return false;
    }
  }
}
