package dev.hector.plugin;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.net.UnixDomainSocketAddress;

/** Channels to addresses on this machine, and the thread that reads and writes for all of the process's sockets. */
final class Channels {
  static final EventLoopGroup THREAD =
      new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("hector-io", true), NioIoHandler.newFactory());

  private Channels() {}

  static ManagedChannel to(String target) {
    var builder =
        target.startsWith("unix:")
            ? NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(target.substring("unix:".length())))
                .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
                .overrideAuthority("localhost")
            : NettyChannelBuilder.forTarget(target).channelType(NioSocketChannel.class);
    return builder.eventLoopGroup(THREAD).usePlaintext().maxInboundMessageSize(Plugin.MESSAGE_BYTES).build();
  }
}
