package hector

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

const tokenHeader = "hector-token"

// door is what every call comes through: who may come in, and what becomes of a call that panics.
type door struct {
	plugin *plugin
	token  []byte
	closed context.Context // over once the plugin takes no more calls
	close  context.CancelFunc
}

func newDoor(p *plugin, token string) *door {
	closed, close := context.WithCancel(context.Background())
	return &door{p, []byte(token), closed, close}
}

// enter lets a call in, or says why not. Health is answered without a token: probes have none.
func (d *door) enter(ctx context.Context, method string) (context.Context, error) {
	isHealth := strings.HasPrefix(method, "/grpc.health.v1.Health/")
	shown := strings.Join(metadata.ValueFromIncomingContext(ctx, tokenHeader), "")
	if len(d.token) > 0 && (shown != "" || !isHealth) && subtle.ConstantTimeCompare([]byte(shown), d.token) != 1 {
		return nil, Errorf(codes.Unauthenticated, "PLUGIN_TOKEN_REQUIRED",
			"this plugin answers only the host that started it; show its token as metadata %q", tokenHeader)
	}
	if d.closed.Err() != nil && !isHealth {
		return nil, Errorf(codes.Unavailable, "PLUGIN_STOPPING", "%s is stopping and takes no more calls", d.plugin.info.Name)
	}
	return context.WithValue(ctx, pluginKey{}, d.plugin), nil
}

func (d *door) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	ctx, err = d.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer survive(ctx, info.FullMethod, &err)
	return handle(ctx, request)
}

func (d *door) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx, err := d.enter(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if info.FullMethod == "/grpc.health.v1.Health/Watch" { // it would never end by itself, and the drain waits for it
		watching, leave := context.WithCancel(ctx)
		defer context.AfterFunc(d.closed, leave)()
		defer leave()
		ctx = watching
	}
	defer survive(ctx, info.FullMethod, &err)
	return handle(server, &entered{stream, ctx})
}

// survive makes an error of a panic, which else would end the whole plugin.
func survive(ctx context.Context, method string, err *error) {
	if cause := recover(); cause != nil {
		slog.ErrorContext(ctx, "a call panicked", "method", method, "panic", cause, "stack", string(debug.Stack()))
		*err = Errorf(codes.Internal, "PLUGIN_PANICKED", "the plugin failed; its log says why")
	}
}

// entered is a stream with the context that its call got at the door.
type entered struct {
	grpc.ServerStream
	ctx context.Context
}

func (e *entered) Context() context.Context { return e.ctx }
