// Example of a plugin of plain hashicorp/go-plugin: of Hector it takes the contract's stubs and the cookie.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-plugin"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	toolv1 "github.com/hector-mesh/hector-go/hector/tool/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var upper = &commonv1.Tool{
	Name:           "upper",
	Description:    "Turns a text into upper case.",
	ParametersJson: `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`,
}

type tools struct {
	plugin.NetRPCUnsupportedPlugin
	toolv1.UnimplementedToolProviderServer
}

func (t *tools) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	toolv1.RegisterToolProviderServer(server, t)
	return nil
}

func (*tools) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is the plugin, not its host")
}

func (*tools) ListTools(context.Context, *toolv1.ListToolsRequest) (*toolv1.ListToolsResponse, error) {
	return &toolv1.ListToolsResponse{Tools: []*commonv1.Tool{upper}, Revision: "1"}, nil
}

func (*tools) GetToolSchema(
	_ context.Context, request *toolv1.GetToolSchemaRequest,
) (*toolv1.GetToolSchemaResponse, error) {
	if request.Tool != upper.Name {
		return nil, status.Errorf(codes.NotFound, "there is no tool %q here", request.Tool)
	}
	return &toolv1.GetToolSchemaResponse{Tool: upper}, nil
}

func (*tools) ExecuteTool(
	_ context.Context, request *toolv1.ExecuteToolRequest,
) (*toolv1.ExecuteToolResponse, error) {
	if request.Tool != upper.Name {
		return nil, status.Errorf(codes.NotFound, "there is no tool %q here", request.Tool)
	}
	var arguments struct{ Text *string }
	if err := json.Unmarshal([]byte(request.ParametersJson), &arguments); err != nil || arguments.Text == nil {
		return nil, status.Error(codes.InvalidArgument, "upper needs a text")
	}
	fmt.Printf("turning %q into upper case\n", *arguments.Text) // go-plugin hands on what is printed, to the host's log
	return &toolv1.ExecuteToolResponse{Success: true, Result: strings.ToUpper(*arguments.Text)}, nil
}

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "HECTOR_PLUGIN", MagicCookieValue: "hector_plugin_v1",
		},
		Plugins:    plugin.PluginSet{"tool_provider": &tools{}},
		GRPCServer: plugin.DefaultGRPCServer,
	})
}
