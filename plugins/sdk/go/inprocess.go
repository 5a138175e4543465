package hector

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// InProcess serves the parts inside this process, with neither socket nor token, and gives a connection to
// them. Tests use package hectortest, which is made of it.
func InProcess(parts ...Part) (conn *grpc.ClientConn, stop func(), err error) {
	p := newPlugin("in-process", "", parts)
	listener := bufconn.Listen(1 << 20)
	go p.server.Serve(listener) // ends with Stop
	conn, err = grpc.NewClient("passthrough:in-process",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
	)
	if err != nil {
		p.server.Stop()
		return nil, nil, err
	}
	return conn, func() {
		conn.Close()
		p.server.Stop()
	}, nil
}
