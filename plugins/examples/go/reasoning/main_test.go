package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	reasoningv1 "github.com/hector-mesh/hector-go/hector/reasoning/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestItAsksTheModelFirst(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		reasoningv1.RegisterReasoningStrategyServer(to, oneShot{})
	}))
	strategy := reasoningv1.NewReasoningStrategyClient(plugin.Conn)
	begun, err := strategy.Initialize(t.Context(), &reasoningv1.InitializeRequest{Run: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	request := &reasoningv1.ProcessIterationRequest{State: begun.State, Iteration: 1}
	decided, err := strategy.ProcessIteration(t.Context(), request)
	if err != nil || decided.Done || len(decided.Actions) != 1 || decided.Actions[0].GetAsk() == nil {
		t.Fatal(decided, err)
	}
}
