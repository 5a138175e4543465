// Package hectortest tries a plugin inside the test that asks it: no process, no socket, no token.
package hectortest

import (
	"context"
	"encoding/json"
	"testing"

	"google.golang.org/grpc"

	hector "github.com/hector-mesh/hector-go"
	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
	toolv1 "github.com/hector-mesh/hector-go/hector/tool/v1"
)

// Plugin is one that runs until its test is over.
type Plugin struct {
	Conn *grpc.ClientConn // for the stubs of the contracts
	t    testing.TB
}

// Start serves the parts, configured with {}: what Serve takes, Start takes.
func Start(t testing.TB, parts ...hector.Part) *Plugin {
	t.Helper()
	conn, stop, err := hector.InProcess(parts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &Plugin{conn, t}
}

// Configure hands settings over as a host does, and gives what the plugin finds wrong with them.
func (p *Plugin) Configure(settings any) []*pluginv1.Diagnostic {
	p.t.Helper()
	answer, err := pluginv1.NewPluginClient(p.Conn).Configure(
		p.t.Context(), &pluginv1.ConfigureRequest{ConfigJson: p.text(settings)},
	)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.Diagnostics
}

// Call runs a tool.
func (p *Plugin) Call(ctx context.Context, tool string, arguments any) (*toolv1.ExecuteToolResponse, error) {
	p.t.Helper()
	request := &toolv1.ExecuteToolRequest{Tool: tool, ParametersJson: p.text(arguments)}
	return toolv1.NewToolProviderClient(p.Conn).ExecuteTool(ctx, request)
}

func (p *Plugin) text(value any) string {
	p.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
