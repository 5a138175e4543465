package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	llmv1 "github.com/hector-mesh/hector-go/hector/llm/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestItSaysWhatWasSaid(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		llmv1.RegisterLLMProviderServer(to, echo{})
	}))
	request := &llmv1.GenerateTextRequest{Prompt: "two words"}
	said, err := llmv1.NewLLMProviderClient(plugin.Conn).GenerateText(t.Context(), request)
	if err != nil || said.Text != "two words" || said.Usage.GetCompletionTokens() != 2 {
		t.Fatal(said, err)
	}
}
