package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	vectorv1 "github.com/hector-mesh/hector-go/hector/vector/v1"
	"github.com/hector-mesh/hector-go/hectortest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestWhatIsNearestIsFoundFirst(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		vectorv1.RegisterDatabaseProviderServer(to, &store{collections: map[string]*collection{}})
	}))
	client := vectorv1.NewDatabaseProviderClient(plugin.Conn)
	if _, err := client.CreateCollection(t.Context(), &vectorv1.CreateCollectionRequest{Name: "places", Dimension: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpsertVectors(t.Context(), &vectorv1.UpsertVectorsRequest{Collection: "places", Vectors: []*vectorv1.VectorRecord{
		{Id: "east", Vector: []float32{1, 0}}, {Id: "north", Vector: []float32{0, 1}},
	}}); err != nil {
		t.Fatal(err)
	}
	answer, err := client.SearchVectors(t.Context(), &vectorv1.SearchVectorsRequest{
		Collection: "places", Vector: []float32{0.1, 0.9},
	})
	if err != nil || len(answer.Results) != 2 || answer.Results[0].Id != "north" {
		t.Fatal(answer, err)
	}
	_, err = client.SearchVectors(t.Context(), &vectorv1.SearchVectorsRequest{Collection: "places", Text: "north"})
	if status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
}

func TestAConditionOfANewerContractDeletesNothing(t *testing.T) {
	plugin := hectortest.Start(t, hector.Service(func(to grpc.ServiceRegistrar) {
		there := &collection{records: map[string]record{"east": {VectorRecord: &vectorv1.VectorRecord{Id: "east"}}}}
		vectorv1.RegisterDatabaseProviderServer(to, &store{collections: map[string]*collection{"places": there}})
	}))
	_, err := vectorv1.NewDatabaseProviderClient(plugin.Conn).DeleteVectors(t.Context(), &vectorv1.DeleteVectorsRequest{
		Collection: "places", Filter: &commonv1.Filter{},
	})
	if status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
}
