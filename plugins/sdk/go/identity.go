package hector

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
)

// identity serves hector.plugin.v1.Plugin.
type identity struct {
	pluginv1.UnimplementedPluginServer
	plugin *plugin
}

func (i *identity) GetInfo(context.Context, *pluginv1.GetInfoRequest) (*pluginv1.GetInfoResponse, error) {
	return i.plugin.info, nil
}

func (i *identity) ValidateConfig(
	ctx context.Context, request *pluginv1.ValidateConfigRequest,
) (*pluginv1.ValidateConfigResponse, error) {
	_, problems := i.plugin.settings.read(ctx, request.ConfigJson)
	return &pluginv1.ValidateConfigResponse{Diagnostics: problems}, nil
}

func (i *identity) Configure(
	ctx context.Context, request *pluginv1.ConfigureRequest,
) (*pluginv1.ConfigureResponse, error) {
	apply, problems := i.plugin.settings.read(ctx, request.ConfigJson)
	for _, problem := range problems {
		if problem.Severity != pluginv1.Diagnostic_SEVERITY_WARNING {
			return &pluginv1.ConfigureResponse{Diagnostics: problems}, nil
		}
	}
	takeBack, err := i.plugin.setup.take(request)
	if err != nil {
		return nil, Errorf(codes.InvalidArgument, "HOST_TARGET_INVALID", "host_target %q: %v", request.HostTarget, err)
	}
	if err := apply(ctx); err != nil {
		takeBack()
		problems = append(problems, diagnostics(err)...)
		return &pluginv1.ConfigureResponse{Diagnostics: problems}, nil
	}
	slog.Debug("configured", "instances", len(request.Instances))
	return &pluginv1.ConfigureResponse{Diagnostics: problems}, nil
}

func (i *identity) CollectMetrics(
	ctx context.Context, _ *pluginv1.CollectMetricsRequest,
) (*pluginv1.CollectMetricsResponse, error) {
	if i.plugin.metrics == nil {
		return nil, Errorf(codes.Unimplemented, "NO_METRICS", "%s has no metrics of its own", i.plugin.info.Name)
	}
	text, err := i.plugin.metrics(ctx)
	return &pluginv1.CollectMetricsResponse{PrometheusText: text}, err
}

func (i *identity) Shutdown(
	_ context.Context, request *pluginv1.ShutdownRequest,
) (*pluginv1.ShutdownResponse, error) {
	i.plugin.ending.ask(time.Duration(request.GraceS) * time.Second)
	return &pluginv1.ShutdownResponse{}, nil
}

// dial connects to the host's own services; gRPC does so at the first call.
func dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a socket in the plugin's private folder
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithUnaryInterceptor(carryOnUnary),
		grpc.WithStreamInterceptor(carryOnStream),
	)
}
