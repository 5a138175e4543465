package hector

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// ending waits for the first who asks for the end: an rpc, a signal, or a host that is gone.
type ending struct {
	once  sync.Once
	drain time.Duration      // how long calls in flight may take
	asked chan time.Duration // how long they really may
}

func newEnding() *ending { return &ending{drain: usualDrain, asked: make(chan time.Duration, 1)} }

// ask asks for the end, with other than the usual time for calls in flight if grace is not zero.
func (e *ending) ask(grace time.Duration) {
	if grace == 0 {
		grace = e.drain
	}
	e.once.Do(func() { e.asked <- grace })
}

// onSignals listens to SIGTERM, and to Ctrl-C where it is not the host's to handle.
func (e *ending) onSignals(interrupt bool) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if interrupt {
		signal.Notify(signals, os.Interrupt)
	} else {
		signal.Ignore(os.Interrupt)
	}
	go func() {
		<-signals
		e.ask(0)
	}()
}

// onEndOf takes the end of standard input for the end of the host, which holds the other end.
func (e *ending) onEndOf(stdin io.Reader) {
	io.Copy(io.Discard, stdin)
	e.ask(0)
}

// stop takes no more calls, waits for those in flight as long as they may take, and cuts the rest off.
func (p *plugin) stop(grace time.Duration) {
	p.door.close()
	p.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		p.server.GracefulStop()
		close(drained)
	}()
	select {
	case <-drained:
		return
	case <-time.After(grace):
	}
	cut := make(chan struct{})
	go func() {
		p.server.Stop() // ends their contexts, and waits for them
		close(cut)
	}()
	select {
	case <-cut:
	case <-time.After(250 * time.Millisecond): // who does not listen to his context ends with the process
	}
}

// goPluginController is go-plugin's own way to end a plugin, for hosts that know no other.
var goPluginController = grpc.ServiceDesc{
	ServiceName: "plugin.GRPCController",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Shutdown",
		Handler: func(end any, ctx context.Context, read func(any) error, through grpc.UnaryServerInterceptor) (any, error) {
			request := &emptypb.Empty{}
			if err := read(request); err != nil {
				return nil, err
			}
			info := &grpc.UnaryServerInfo{Server: end, FullMethod: "/plugin.GRPCController/Shutdown"}
			return through(ctx, request, info, func(context.Context, any) (any, error) {
				end.(*ending).ask(0)
				return &emptypb.Empty{}, nil
			})
		},
	}},
}
