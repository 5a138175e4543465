// Example of an agent: it greets who talks to it, and knows how often they have met.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	hector "github.com/hector-mesh/hector-go"
	agentv1 "github.com/hector-mesh/hector-go/hector/agent/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const name = "greeter"

type greeter struct {
	agentv1.UnimplementedAgentProviderServer
}

func (greeter) DescribeAgents(
	context.Context, *agentv1.DescribeAgentsRequest,
) (*agentv1.DescribeAgentsResponse, error) {
	about := &agentv1.Agent{Name: name, Description: "Greets, and counts.", Streaming: true}
	return &agentv1.DescribeAgentsResponse{Agents: []*agentv1.Agent{about}}, nil
}

func (greeter) RunAgent(
	request *agentv1.RunAgentRequest, stream grpc.ServerStreamingServer[agentv1.RunAgentResponse],
) error {
	if request.Agent != name {
		return hector.Errorf(codes.NotFound, "AGENT_NOT_FOUND", "there is no agent %q; there is: %s", request.Agent, name)
	}
	var state struct {
		Met int `json:"met"`
	}
	if request.StateJson != "" && json.Unmarshal([]byte(request.StateJson), &state) != nil {
		return hector.Errorf(codes.InvalidArgument, "STATE_UNREADABLE", "the session's state is not what was saved")
	}
	var said strings.Builder
	for _, part := range request.GetMessage().GetParts() {
		said.WriteString(part.GetText())
	}
	if strings.TrimSpace(said.String()) == "" {
		return stream.Send(&agentv1.RunAgentResponse{
			Event: &agentv1.RunAgentResponse_RequireInput{RequireInput: "What shall I call you?"},
		})
	}
	answer := fmt.Sprintf("Hello! You said: %s\nTimes that we have met: %d.", said.String(), state.Met+1)
	for _, line := range strings.SplitAfter(answer, "\n") {
		err := stream.Send(&agentv1.RunAgentResponse{Event: &agentv1.RunAgentResponse_Text{Text: line}})
		if err != nil {
			return err
		}
	}
	changed := fmt.Sprintf(`{"met": %d}`, state.Met+1)
	return stream.Send(&agentv1.RunAgentResponse{
		Event: &agentv1.RunAgentResponse_StateDeltaJson{StateDeltaJson: changed},
	})
}

func main() {
	hector.Serve(hector.Name("example-agent", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		agentv1.RegisterAgentProviderServer(to, greeter{})
	}))
}
