package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	documentv1 "github.com/hector-mesh/hector-go/hector/document/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestEveryRowNamesItsColumns(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		documentv1.RegisterDocumentParserServer(to, tables{})
	}))
	request := &documentv1.ParseDocumentRequest{Content: []byte("name,moons\nearth,1\n"), FileName: "planets.csv"}
	answer, err := documentv1.NewDocumentParserClient(plugin.Conn).ParseDocument(t.Context(), request)
	if err != nil || len(answer.Sections) != 1 || answer.Sections[0].Text != "name: earth; moons: 1" {
		t.Fatal(answer, err)
	}
}
