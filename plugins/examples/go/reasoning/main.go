// Example of a reasoning strategy: one-shot asks the model once, has its tools called, and finishes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	reasoningv1 "github.com/hector-mesh/hector-go/hector/reasoning/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const version = 1

type oneShot struct {
	reasoningv1.UnimplementedReasoningStrategyServer
}

func (oneShot) Initialize(
	context.Context, *reasoningv1.InitializeRequest,
) (*reasoningv1.InitializeResponse, error) {
	return &reasoningv1.InitializeResponse{Success: true, State: stateAt(0)}, nil
}

func (oneShot) ProcessIteration(
	_ context.Context, request *reasoningv1.ProcessIterationRequest,
) (*reasoningv1.ProcessIterationResponse, error) {
	step, err := stepOf(request.State)
	if err != nil {
		return nil, err
	}
	switch step {
	case 0:
		ask := &reasoningv1.Action{Id: "ask-1", Action: &reasoningv1.Action_Ask{Ask: &reasoningv1.Ask{}}}
		return act(1, ask), nil
	case 1:
		return afterTheModel(request)
	}
	var results []string
	for _, seen := range request.Observations {
		if why := seen.GetError(); why != "" {
			results = append(results, why)
		}
		for _, part := range seen.GetToolResult().GetParts() {
			if text, isText := part.Content.(*commonv1.Part_Text); isText {
				results = append(results, text.Text)
			}
		}
	}
	return finish(request.State, strings.Join(results, "\n")), nil
}

func (oneShot) Finalize(
	_ context.Context, request *reasoningv1.FinalizeRequest,
) (*reasoningv1.FinalizeResponse, error) {
	if _, err := stepOf(request.State); err != nil {
		return nil, err
	}
	response := &reasoningv1.FinalizeResponse{Success: true}
	if request.Truncated {
		response.Result = "The limit was reached before the answer was complete."
	}
	return response, nil
}

func afterTheModel(request *reasoningv1.ProcessIterationRequest) (*reasoningv1.ProcessIterationResponse, error) {
	var calls []*reasoningv1.Action
	for _, seen := range request.Observations {
		if why := seen.GetError(); why != "" {
			return nil, hector.Errorf(codes.Aborted, "ASK_FAILED", "%s", why)
		}
		for _, part := range seen.GetMessage().GetParts() {
			if call := part.GetToolCall(); call != nil {
				id := fmt.Sprintf("tool-%d", len(calls)+1)
				calls = append(calls, &reasoningv1.Action{Id: id, Action: &reasoningv1.Action_ToolCall{ToolCall: call}})
			}
		}
	}
	if len(calls) == 0 {
		return finish(request.State, ""), nil
	}
	return act(2, calls...), nil
}

func act(next int, actions ...*reasoningv1.Action) *reasoningv1.ProcessIterationResponse {
	return &reasoningv1.ProcessIterationResponse{Success: true, State: stateAt(next), Actions: actions}
}

func finish(state *reasoningv1.State, result string) *reasoningv1.ProcessIterationResponse {
	return &reasoningv1.ProcessIterationResponse{
		Success: true, State: state, Done: true, Finalized: true, Result: result,
	}
}

// memory is all that the strategy remembers: it travels with each call, so any process can go on from it.
type memory struct {
	Step *int `json:"step"`
}

func stateAt(step int) *reasoningv1.State {
	data, _ := json.Marshal(memory{&step}) // numbers always have a JSON form
	return &reasoningv1.State{Data: data, ContentType: "application/json", Version: version}
}

func stepOf(state *reasoningv1.State) (int, error) {
	var kept memory
	if state.GetVersion() == version && json.Unmarshal(state.GetData(), &kept) == nil &&
		kept.Step != nil && 0 <= *kept.Step && *kept.Step <= 2 {
		return *kept.Step, nil
	}
	return 0, hector.Errorf(codes.FailedPrecondition, "STATE_UNREADABLE",
		"the state has version %d and is no step from 0 to 2 in JSON of version %d", state.GetVersion(), version)
}

func main() {
	hector.Serve(hector.Name("example-reasoning", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		reasoningv1.RegisterReasoningStrategyServer(to, oneShot{})
	}))
}
