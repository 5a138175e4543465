package hector

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	toolv1 "github.com/hector-mesh/hector-go/hector/tool/v1"
)

// Tools serves hector.tool.v1.ToolProvider with these tools.
func Tools(tools ...*ToolSpec) Part {
	served := &toolServer{byName: map[string]*ToolSpec{}}
	revision := fnv.New64a()
	for _, tool := range slices.SortedFunc(slices.Values(tools), func(a, b *ToolSpec) int {
		return strings.Compare(a.listed.Name, b.listed.Name)
	}) {
		if served.byName[tool.listed.Name] != nil {
			panic(fmt.Sprintf("there are two tools named %q", tool.listed.Name))
		}
		served.byName[tool.listed.Name] = tool
		served.list.Tools = append(served.list.Tools, tool.listed)
		text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(tool.listed) // fails only for text that is no UTF-8
		revision.Write(text)
	}
	served.list.Revision = fmt.Sprintf("%x", revision.Sum64())
	return Service(func(to grpc.ServiceRegistrar) { toolv1.RegisterToolProviderServer(to, served) })
}

// Progress shows how far a tool is, to callers who watch it; total is zero where it is not known.
func Progress(ctx context.Context, done, total float64, message string) {
	if show, watched := ctx.Value(watcherKey{}).(func(*toolv1.StreamToolResponse) error); watched {
		progress := &toolv1.ToolProgress{Progress: done, Total: total, Message: message}
		show(&toolv1.StreamToolResponse{Event: &toolv1.StreamToolResponse_Progress{Progress: progress}}) // a caller who is gone cancels ctx
	}
}

// Output shows a piece of what a tool puts out; its result has to have it all.
func Output(ctx context.Context, text string) {
	if show, watched := ctx.Value(watcherKey{}).(func(*toolv1.StreamToolResponse) error); watched {
		part := &commonv1.Part{Content: &commonv1.Part_Text{Text: text}}
		show(&toolv1.StreamToolResponse{Event: &toolv1.StreamToolResponse_Output{Output: part}})
	}
}

// Sleep waits so long, and stops with the call's own error when nobody waits for its result any more.
func Sleep(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ToolContext says for whom the tool runs: session, run, agent, the effect's id, state.
func ToolContext(ctx context.Context) *toolv1.ToolContext {
	caller, _ := ctx.Value(callerKey{}).(*toolv1.ToolContext)
	return caller // a nil message reads as an empty one
}

type watcherKey struct{}

type callerKey struct{}

type toolServer struct {
	toolv1.UnimplementedToolProviderServer
	byName map[string]*ToolSpec
	list   toolv1.ListToolsResponse
}

func (t *toolServer) ListTools(context.Context, *toolv1.ListToolsRequest) (*toolv1.ListToolsResponse, error) {
	return &t.list, nil
}

func (t *toolServer) GetToolSchema(
	_ context.Context, request *toolv1.GetToolSchemaRequest,
) (*toolv1.GetToolSchemaResponse, error) {
	tool, err := t.find(request.Tool)
	if err != nil {
		return nil, err
	}
	return &toolv1.GetToolSchemaResponse{Tool: tool.listed}, nil
}

func (t *toolServer) ExecuteTool(
	ctx context.Context, request *toolv1.ExecuteToolRequest,
) (*toolv1.ExecuteToolResponse, error) {
	tool, err := t.find(request.Tool)
	if err != nil {
		return nil, err
	}
	return tool.run(context.WithValue(ctx, callerKey{}, request.Context), request.ParametersJson, request.DryRun)
}

func (t *toolServer) StreamTool(
	request *toolv1.StreamToolRequest, stream grpc.ServerStreamingServer[toolv1.StreamToolResponse],
) error {
	tool, err := t.find(request.Tool)
	if err != nil {
		return err
	}
	var sending sync.Mutex // a tool may show things from several goroutines
	show := func(event *toolv1.StreamToolResponse) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.Send(event)
	}
	ctx := context.WithValue(stream.Context(), watcherKey{}, show)
	result, err := tool.run(context.WithValue(ctx, callerKey{}, request.Context), request.ParametersJson, request.DryRun)
	if err != nil {
		return err
	}
	return show(&toolv1.StreamToolResponse{Event: &toolv1.StreamToolResponse_Result{Result: result}})
}

func (t *toolServer) find(name string) (*ToolSpec, error) {
	if tool := t.byName[name]; tool != nil {
		return tool, nil
	}
	var names []string
	for _, tool := range t.list.Tools {
		names = append(names, tool.Name)
	}
	return nil, Errorf(codes.NotFound, "TOOL_NOT_FOUND", "there is no tool %q here, but %s", name, strings.Join(names, ", "))
}
