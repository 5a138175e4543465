package hector

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
)

type pluginKey struct{}

// Instance names the place in the host's configuration that a call is for, for example "tools.search".
func Instance(ctx context.Context) string {
	said := strings.Join(metadata.ValueFromIncomingContext(ctx, "hector-instance"), "")
	if name, err := url.PathUnescape(said); err == nil { // metadata carries plain ASCII only
		return name
	}
	return said
}

// Component says which of the plugin's things the place means that a call is for, for example a model, where its
// configuration says `plugin:NAME:COMPONENT`.
func Component(ctx context.Context) string {
	return setupOf(ctx).instance(Instance(ctx)).GetComponent()
}

// InstanceConfig reads the settings of the place that a call is for into a value, as json.Unmarshal does. A
// place that has none leaves the value as it is.
func InstanceConfig(ctx context.Context, into any) error {
	text := setupOf(ctx).instance(Instance(ctx)).GetConfigJson()
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// DataDir names the folder that the plugin may write to, and finds again when it is started again.
func DataDir(ctx context.Context) string {
	kept := setupOf(ctx)
	kept.reading.RLock()
	defer kept.reading.RUnlock()
	return kept.dataDir
}

// Host gives what the host does for the plugin: models, tools, embedders, state, its log. The context must be
// that of the call being served: whom the plugin works for, and until when, goes on with it. What was not
// granted is PERMISSION_DENIED.
func Host(ctx context.Context) pluginv1.HostServicesClient {
	kept := setupOf(ctx)
	kept.reading.RLock()
	defer kept.reading.RUnlock()
	if kept.host == nil {
		return pluginv1.NewHostServicesClient(noHost{})
	}
	return pluginv1.NewHostServicesClient(kept.host)
}

// setup is what Configure said beside the plugin's own settings.
type setup struct {
	reading sync.RWMutex
	given
}

type given struct {
	instances map[string]*pluginv1.Instance
	dataDir   string
	target    string
	host      *grpc.ClientConn
}

func setupOf(ctx context.Context) *setup {
	if p, inside := ctx.Value(pluginKey{}).(*plugin); inside {
		return &p.setup
	}
	return &setup{}
}

// take takes what Configure said, and returns what takes it back: a plugin that cannot be configured goes on as it was.
func (s *setup) take(request *pluginv1.ConfigureRequest) (func(), error) {
	instances := map[string]*pluginv1.Instance{}
	for _, instance := range request.Instances {
		instances[instance.Name] = instance
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	before := s.given
	if request.HostTarget != s.target {
		var host *grpc.ClientConn
		if request.HostTarget != "" {
			var err error
			if host, err = dial(request.HostTarget); err != nil {
				return nil, err
			}
		}
		s.target, s.host = request.HostTarget, host // calls in flight may still use the one before: it is not closed
	}
	s.instances, s.dataDir = instances, request.DataDir
	return func() {
		s.reading.Lock()
		defer s.reading.Unlock()
		s.given = before
	}, nil
}

func (s *setup) instance(name string) *pluginv1.Instance {
	s.reading.RLock()
	defer s.reading.RUnlock()
	return s.instances[name]
}

// carriedOn puts onto a call of the host whom the plugin is working for, and the plugin's own token.
func carriedOn(ctx context.Context) context.Context {
	serving, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for name, values := range serving {
		if name == "traceparent" || name == "tracestate" || strings.HasPrefix(name, "hector-") {
			out[name] = values
		}
	}
	if token := os.Getenv("HECTOR_PLUGIN_TOKEN"); token != "" {
		out.Set(tokenHeader, token)
	}
	own, _ := metadata.FromOutgoingContext(ctx)
	return metadata.NewOutgoingContext(ctx, metadata.Join(out, own))
}

func carryOnUnary(
	ctx context.Context, method string, request, response any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return call(carriedOn(ctx), method, request, response, conn, options...)
}

func carryOnStream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return open(carriedOn(ctx), desc, conn, method, options...)
}

// noHost stands where no host can be asked.
type noHost struct{}

func (noHost) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return Errorf(codes.PermissionDenied, "PLUGIN_NOT_GRANTED",
		"the host granted this plugin nothing; `grants:` of its entry in hector.yaml says what it may do")
}

func (n noHost) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, n.Invoke(nil, "", nil, nil)
}
