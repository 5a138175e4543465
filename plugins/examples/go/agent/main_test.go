package main

import (
	"io"
	"strings"
	"testing"

	hector "github.com/hector-mesh/hector-go"
	agentv1 "github.com/hector-mesh/hector-go/hector/agent/v1"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestItCountsHowOftenItMetSomebody(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		agentv1.RegisterAgentProviderServer(to, greeter{})
	}))
	hi := &commonv1.Part{Content: &commonv1.Part_Text{Text: "hi"}}
	events, err := agentv1.NewAgentProviderClient(plugin.Conn).RunAgent(t.Context(), &agentv1.RunAgentRequest{
		Agent: "greeter", StateJson: `{"met": 1}`,
		Message: &commonv1.Message{Role: commonv1.Role_ROLE_USER, Parts: []*commonv1.Part{hi}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	for {
		event, err := events.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		answer.WriteString(event.GetText())
	}
	if !strings.Contains(answer.String(), "we have met: 2.") {
		t.Fatal(answer.String())
	}
}
