package hector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	hector "github.com/hector-mesh/hector-go"
	llmv1 "github.com/hector-mesh/hector-go/hector/llm/v1"
	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
	toolv1 "github.com/hector-mesh/hector-go/hector/tool/v1"
	"github.com/hector-mesh/hector-go/hectortest"
)

type nothing struct{}

// model writes one rpc itself and gets another one from what it embeds.
type model struct {
	llmv1.UnimplementedLLMProviderServer
	counting
}

type counting struct{}

func (counting) CountTokens(context.Context, *llmv1.CountTokensRequest) (*llmv1.CountTokensResponse, error) {
	return &llmv1.CountTokensResponse{Tokens: 1}, nil
}

func (*model) ListModels(context.Context, *llmv1.ListModelsRequest) (*llmv1.ListModelsResponse, error) {
	panic("a mistake with a secret")
}

func (m *model) CountTokens(ctx context.Context, r *llmv1.CountTokensRequest) (*llmv1.CountTokensResponse, error) {
	return m.counting.CountTokens(ctx, r)
}

func served() hector.Part {
	return hector.Service(func(to grpc.ServiceRegistrar) { llmv1.RegisterLLMProviderServer(to, &model{}) })
}

func TestAPluginNamesTheRpcsThatItHasWritten(t *testing.T) {
	plugin := hectortest.Start(t, served())
	info, err := pluginv1.NewPluginClient(plugin.Conn).GetInfo(t.Context(), &pluginv1.GetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if rpcs := info.Components[0].Rpcs; !slices.Equal(rpcs, []string{"ListModels", "CountTokens"}) {
		t.Fatal(rpcs)
	}
}

func TestACallThatPanicsFailsAloneAndSaysNothingOfWhy(t *testing.T) {
	llm := llmv1.NewLLMProviderClient(hectortest.Start(t, served()).Conn)
	_, err := llm.ListModels(t.Context(), &llmv1.ListModelsRequest{})
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "the plugin failed; its log says why" {
		t.Fatal(err)
	}
	if _, err := llm.CountTokens(t.Context(), &llmv1.CountTokensRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestAnErrorIsForTheModelUnlessItIsAStatus(t *testing.T) {
	fails := hector.Tool("fails", "Fails.", func(context.Context, nothing) (string, error) {
		return "", errors.New("not today")
	})
	refuses := hector.Tool("refuses", "Refuses.", func(context.Context, nothing) (string, error) {
		return "", hector.Errorf(codes.ResourceExhausted, "RATE_LIMITED", "too many")
	})
	plugin := hectortest.Start(t, hector.Tools(fails, refuses))
	if answer, err := plugin.Call(t.Context(), "fails", nothing{}); err != nil || answer.Error != "not today" {
		t.Fatal(answer, err)
	}
	if _, err := plugin.Call(t.Context(), "refuses", nothing{}); status.Code(err) != codes.ResourceExhausted {
		t.Fatal(err)
	}
}

func TestAResultThatIsNoTextIsJsonWithASchema(t *testing.T) {
	type pair struct{ A, B int }
	tool := hector.Tool("pair", "Gives two.", func(context.Context, nothing) (pair, error) { return pair{1, 2}, nil })
	plugin := hectortest.Start(t, hector.Tools(tool))
	answer, err := plugin.Call(t.Context(), "pair", nothing{})
	if err != nil || answer.StructuredJson != `{"A":1,"B":2}` || answer.Result != answer.StructuredJson {
		t.Fatal(answer, err)
	}
	listed, err := toolv1.NewToolProviderClient(plugin.Conn).ListTools(t.Context(), &toolv1.ListToolsRequest{})
	if err != nil || listed.Tools[0].ResultSchemaJson == "" {
		t.Fatal(listed, err)
	}
}

type config struct {
	Key     string `json:"key" secret:"true" jsonschema:"The key."`
	Servers []struct {
		Port int `json:"port"`
	} `json:"servers,omitempty"`
}

func TestEachProblemOfSettingsHasItsPlaceAndNoSecret(t *testing.T) {
	settings := hector.NewSettings(config{})
	plugin := hectortest.Start(t, settings)
	wrong := map[string]any{"key": 4711, "more/less": 1, "servers": []any{}}
	var places []string
	for _, problem := range plugin.Configure(wrong) {
		places = append(places, problem.Path)
		if problem.Path == "/key" && problem.Summary != "this secret is not what its schema asks for" {
			t.Error(problem.Summary)
		}
	}
	if !slices.Equal(places, []string{"/key", "/more~1less"}) {
		t.Fatal(places)
	}
	if missing := plugin.Configure(map[string]any{}); len(missing) != 1 || missing[0].Summary != `"key" is missing` {
		t.Fatal(missing)
	}
}

func TestSettingsThatCannotBeAppliedLeaveThoseBefore(t *testing.T) {
	type config struct{ Port int }
	settings := hector.NewSettings(config{Port: 1}).Apply(func(_ context.Context, wanted config) error {
		if wanted.Port == 2 {
			return hector.Problem{Path: "/Port", Summary: "port 2 is taken"}
		}
		return nil
	})
	where := hector.Tool("where", "Says where.", func(ctx context.Context, _ nothing) (string, error) {
		return hector.DataDir(ctx), nil
	})
	plugin := hectortest.Start(t, settings, hector.Tools(where))
	client := pluginv1.NewPluginClient(plugin.Conn)
	for _, given := range []struct{ port, folder string }{{"1", "/one"}, {"2", "/two"}} {
		answer, err := client.Configure(t.Context(), &pluginv1.ConfigureRequest{
			ConfigJson: `{"Port": ` + given.port + `}`, DataDir: given.folder,
		})
		if refused := given.port == "2"; err != nil || refused != (len(answer.Diagnostics) == 1) {
			t.Fatal(answer, err)
		}
	}
	if settings.Get().Port != 1 {
		t.Fatal(settings.Get())
	}
	if answer, err := plugin.Call(t.Context(), "where", nothing{}); err != nil || answer.Result != "/one" {
		t.Fatal(answer, err)
	}
}

func TestACallKnowsTheEntryThatItIsFor(t *testing.T) {
	tool := hector.Tool("where", "Says for whom it runs.", func(ctx context.Context, _ nothing) (string, error) {
		var own struct{ Region string }
		err := hector.InstanceConfig(ctx, &own)
		return hector.Component(ctx) + " in " + own.Region, err
	})
	plugin := hectortest.Start(t, hector.Tools(tool))
	entry := &pluginv1.Instance{Name: "tools.wo_ähnlich", Component: "this", ConfigJson: `{"region": "eu"}`}
	request := &pluginv1.ConfigureRequest{Instances: []*pluginv1.Instance{entry}}
	if _, err := pluginv1.NewPluginClient(plugin.Conn).Configure(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "hector-instance", "tools.wo_%C3%A4hnlich")
	if answer, err := plugin.Call(ctx, "where", nothing{}); err != nil || answer.Result != "this in eu" {
		t.Fatal(answer, err)
	}
}

func TestWithoutAGrantTheHostCannotBeAsked(t *testing.T) {
	tool := hector.Tool("ask", "Asks the host.", func(ctx context.Context, _ nothing) (string, error) {
		_, err := hector.Host(ctx).GetState(ctx, &pluginv1.GetStateRequest{Key: "a"})
		return "", err
	})
	plugin := hectortest.Start(t, hector.Tools(tool))
	if _, err := plugin.Call(t.Context(), "ask", nothing{}); status.Code(err) != codes.PermissionDenied {
		t.Fatal(err)
	}
}

// host answers with what it was called with.
type host struct {
	pluginv1.UnimplementedHostServicesServer
}

func (host) GetState(ctx context.Context, _ *pluginv1.GetStateRequest) (*pluginv1.GetStateResponse, error) {
	var said []string
	for _, name := range []string{"hector-token", "hector-call", "hector-principal", "traceparent", "other"} {
		said = append(said, strings.Join(metadata.ValueFromIncomingContext(ctx, name), ""))
	}
	_, bounded := ctx.Deadline()
	return &pluginv1.GetStateResponse{Value: []byte(strings.Join(said, " ")), Found: bounded}, nil
}

func TestWhatIsAskedOfTheHostCarriesOnWhoseCallIsServed(t *testing.T) {
	t.Setenv("HECTOR_PLUGIN_TOKEN", "own")
	socket := filepath.Join(t.TempDir(), "host.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pluginv1.RegisterHostServicesServer(server, host{})
	go server.Serve(listener)
	defer server.Stop()
	tool := hector.Tool("ask", "Asks the host.", func(ctx context.Context, _ nothing) (string, error) {
		state, err := hector.Host(ctx).GetState(ctx, &pluginv1.GetStateRequest{Key: "a"})
		return fmt.Sprint(string(state.GetValue()), " ", state.GetFound()), err
	})
	plugin := hectortest.Start(t, hector.Tools(tool))
	request := &pluginv1.ConfigureRequest{HostTarget: "unix:" + socket}
	if _, err := pluginv1.NewPluginClient(plugin.Conn).Configure(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Second)
	defer leave()
	ctx = metadata.AppendToOutgoingContext(ctx, "hector-token", "the host's", "hector-call", "7",
		"hector-principal", "ada", "traceparent", "00-1", "other", "x")
	if answer, err := plugin.Call(ctx, "ask", nothing{}); err != nil || answer.Result != "own 7 ada 00-1  true" {
		t.Fatal(answer, err)
	}
}

func TestACallThatIsGivenUpIsNoFailureOfTheTool(t *testing.T) {
	tool := hector.Tool("wait", "Waits.", func(ctx context.Context, _ nothing) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	plugin := hectortest.Start(t, hector.Tools(tool))
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	if _, err := plugin.Call(ctx, "wait", nothing{}); status.Code(err) != codes.DeadlineExceeded {
		t.Fatal(err)
	}
}
