package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	guardrailv1 "github.com/hector-mesh/hector-go/hector/guardrail/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestTheNumberOfACardIsTakenOut(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		guardrailv1.RegisterGuardrailServer(to, cards{})
	}))
	said := &commonv1.Part{Content: &commonv1.Part_Text{Text: "naïve: 4111 1111 1111 1111."}}
	answer, err := guardrailv1.NewGuardrailClient(plugin.Conn).CheckContent(t.Context(), &guardrailv1.CheckContentRequest{
		Stage: guardrailv1.Stage_STAGE_USER_INPUT, Parts: []*commonv1.Part{said},
	})
	if err != nil || answer.Parts[0].GetText() != "naïve: [card]." || answer.Findings[0].Start != 7 {
		t.Fatal(answer, err)
	}
}
