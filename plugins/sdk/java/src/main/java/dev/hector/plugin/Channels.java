package dev.hector.plugin;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.nio.NioEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.net.UnixDomainSocketAddress;

/** Channels to addresses on this machine. */
final class Channels {
  private Channels() {}

  static ManagedChannel to(String target) {
    var threads = new NioEventLoopGroup(1, new DefaultThreadFactory("hector-client", true));
    var builder =
        target.startsWith("unix:")
            ? NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(target.substring("unix:".length())))
                .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
                .overrideAuthority("localhost")
            : NettyChannelBuilder.forTarget(target).channelType(NioSocketChannel.class);
    return builder.eventLoopGroup(threads).usePlaintext().maxInboundMessageSize(Plugin.MESSAGE_BYTES).build();
  }
}
