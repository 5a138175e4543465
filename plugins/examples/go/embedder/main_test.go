package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	embedderv1 "github.com/hector-mesh/hector-go/hector/embedder/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
)

func TestTheSameTextHasTheSameVector(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		embedderv1.RegisterEmbedderProviderServer(to, hash{})
	}))
	embedder := embedderv1.NewEmbedderProviderClient(plugin.Conn)
	one, err := embedder.EmbedText(t.Context(), &embedderv1.EmbedTextRequest{Text: "straße"})
	if err != nil || len(one.VectorF32) != 4*dimensions {
		t.Fatal(one, err)
	}
	both, err := embedder.EmbedBatch(t.Context(), &embedderv1.EmbedBatchRequest{Texts: []string{"straße", "road"}})
	if err != nil {
		t.Fatal(err)
	}
	same, other := both.Embeddings[0].VectorF32, both.Embeddings[1].VectorF32
	if string(same) != string(one.VectorF32) || string(other) == string(one.VectorF32) {
		t.Fatal(both)
	}
}
