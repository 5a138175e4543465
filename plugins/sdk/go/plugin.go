package hector

import (
	"context"
	"log/slog"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
)

// maxMessageBytes is the same as the host's: what gRPC itself allows is less than a picture.
const maxMessageBytes = 64 << 20

// plugin is everything that the parts came to, and the server that serves it.
type plugin struct {
	info     *pluginv1.GetInfoResponse
	services []service
	settings settings
	metrics  func(context.Context) ([]byte, error)

	server *grpc.Server
	health *health.Server
	door   *door
	ending *ending
	setup  setup
}

// newPlugin puts the parts together; nobody is listening yet. Without a token everybody may call.
func newPlugin(program, token string, parts []Part) *plugin {
	p := &plugin{
		info: &pluginv1.GetInfoResponse{
			Name: program, Version: "0.0.0", Reconfigurable: true, MaxMessageBytes: maxMessageBytes,
		},
		settings: NewSettings(struct{}{}), // a plugin that has no settings refuses every key
		health:   health.NewServer(),
		ending:   newEnding(),
	}
	for _, part := range parts {
		part.join(p)
	}
	p.info.ConfigSchemaJson = p.settings.schemaJSON()
	p.door = newDoor(p, token)
	p.server = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.ChainUnaryInterceptor(p.door.unary),
		grpc.ChainStreamInterceptor(p.door.stream),
		grpc.WaitForHandlers(true),
	)
	pluginv1.RegisterPluginServer(p.server, &identity{plugin: p})
	healthv1.RegisterHealthServer(p.server, p.health)
	p.server.RegisterService(&goPluginController, p.ending)
	p.health.SetServingStatus("plugin", healthv1.HealthCheckResponse_SERVING) // go-plugin's hosts ask for it
	for _, one := range p.services {
		p.server.RegisterService(one.contract, one.server)
		p.health.SetServingStatus(one.contract.ServiceName, healthv1.HealthCheckResponse_SERVING)
	}
	return p
}

// run serves until somebody asks for the end.
func (p *plugin) run(how launch, line *os.File) error {
	listener, err := net.Listen(how.network, how.address)
	if err != nil {
		return err
	}
	p.ending.drain = how.drain
	p.ending.onSignals(!how.handshake)
	if how.watchStdin {
		go p.ending.onEndOf(os.Stdin)
	}
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(listener) }()
	slog.Debug("serving", "address", listener.Addr().String())
	if how.handshake {
		line.WriteString(lineFor(listener.Addr())) // a host that is gone already is noticed by its stdin
	} else {
		slog.Info("listening", "network", listener.Addr().Network(), "address", listener.Addr().String())
	}
	select {
	case err := <-served:
		return err
	case grace := <-p.ending.asked:
		p.stop(grace)
		return nil
	}
}
