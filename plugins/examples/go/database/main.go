// Example of a vector store: in memory, compared with every record; put your own store in its place.
package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	hector "github.com/hector-mesh/hector-go"
	vectorv1 "github.com/hector-mesh/hector-go/hector/vector/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type store struct {
	vectorv1.UnimplementedDatabaseProviderServer
	lock        sync.RWMutex
	collections map[string]*collection
}

type collection struct {
	dimension uint32
	metric    vectorv1.Metric
	records   map[string]record
}

type record struct {
	*vectorv1.VectorRecord
	floats []float32
}

func (s *store) CreateCollection(
	_ context.Context, request *vectorv1.CreateCollectionRequest,
) (*vectorv1.CreateCollectionResponse, error) {
	metric := cmp.Or(request.Metric, vectorv1.Metric_METRIC_COSINE)
	if request.Name == "" || request.Dimension == 0 || metric > vectorv1.Metric_METRIC_EUCLIDEAN {
		return nil, invalid("a collection needs a name, a dimension, and a metric that is known")
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if there := s.collections[request.Name]; there == nil {
		s.collections[request.Name] = &collection{request.Dimension, metric, map[string]record{}}
	} else if there.dimension != request.Dimension || there.metric != metric {
		return nil, hector.Errorf(codes.FailedPrecondition, "COLLECTION_MISMATCH",
			"%s has %d dimensions and the metric %s", request.Name, there.dimension, there.metric)
	}
	return &vectorv1.CreateCollectionResponse{Success: true}, nil
}

func (s *store) DeleteCollection(
	_ context.Context, request *vectorv1.DeleteCollectionRequest,
) (*vectorv1.DeleteCollectionResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.collections, request.Name)
	return &vectorv1.DeleteCollectionResponse{Success: true}, nil
}

func (s *store) UpsertVectors(
	_ context.Context, request *vectorv1.UpsertVectorsRequest,
) (*vectorv1.UpsertVectorsResponse, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	there, err := s.named(request.Collection)
	if err != nil {
		return nil, err
	}
	var records []record
	for _, one := range request.Vectors {
		floats, err := there.floats(one)
		if one.Id == "" || err != nil {
			return nil, cmp.Or(err, invalid("every record needs an id"))
		}
		records = append(records, record{one, floats})
	}
	for _, one := range records { // all or nothing
		there.records[one.Id] = one
	}
	return &vectorv1.UpsertVectorsResponse{Success: true, Upserted: uint64(len(records))}, nil
}

func (s *store) SearchVectors(
	_ context.Context, request *vectorv1.SearchVectorsRequest,
) (*vectorv1.SearchVectorsResponse, error) {
	if request.Mode > vectorv1.SearchMode_SEARCH_MODE_VECTOR || request.Mode == 0 && request.Text != "" {
		// The caller does without, and searches by vector alone.
		return nil, hector.Errorf(codes.Unimplemented, "SEARCH_MODE_UNKNOWN", "this store searches by vector, and not by words")
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	there, err := s.named(request.Collection)
	if err != nil {
		return nil, err
	}
	query, err := there.floats(request)
	if err != nil {
		return nil, err
	}
	var found []*vectorv1.VectorResult
	for _, one := range there.records {
		score := there.score(query, one.floats)
		if request.Threshold != nil && score < *request.Threshold {
			continue
		}
		if good, err := holds(request.Filter, metadataOf(one.MetadataJson)); err != nil {
			return nil, err
		} else if good {
			found = append(found, &vectorv1.VectorResult{
				Id: one.Id, Score: score, Content: one.Content, MetadataJson: one.MetadataJson,
			})
		}
	}
	slices.SortFunc(found, func(a, b *vectorv1.VectorResult) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Id, b.Id))
	})
	found = found[min(int(request.Offset), len(found)):]
	return &vectorv1.SearchVectorsResponse{
		Success: true, Results: found[:min(int(cmp.Or(request.Limit, 10)), len(found))],
	}, nil
}

func (s *store) DeleteVectors(
	_ context.Context, request *vectorv1.DeleteVectorsRequest,
) (*vectorv1.DeleteVectorsResponse, error) {
	if len(request.Ids) == 0 && request.Filter == nil {
		return nil, invalid("say which records to delete: ids or a filter")
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	there, err := s.named(request.Collection)
	if err != nil {
		return nil, err
	}
	before := len(there.records)
	for id, one := range there.records {
		matches := false
		if request.Filter != nil {
			if matches, err = holds(request.Filter, metadataOf(one.MetadataJson)); err != nil {
				return nil, err
			}
		}
		if matches || slices.Contains(request.Ids, id) {
			delete(there.records, id)
		}
	}
	return &vectorv1.DeleteVectorsResponse{Success: true, Deleted: uint64(before - len(there.records))}, nil
}

func (s *store) named(name string) (*collection, error) {
	if there := s.collections[name]; there != nil {
		return there, nil
	}
	return nil, hector.Errorf(codes.NotFound, "COLLECTION_NOT_FOUND", "there is no collection %q", name)
}

func (c *collection) score(one, other []float32) float32 {
	var dot, left, right, distance float64
	for at := range one {
		x, y := float64(one[at]), float64(other[at])
		dot, left, right = dot+x*y, left+x*x, right+y*y
		distance += (x - y) * (x - y)
	}
	switch lengths := math.Sqrt(left) * math.Sqrt(right); {
	case c.metric == vectorv1.Metric_METRIC_EUCLIDEAN:
		return float32(-math.Sqrt(distance))
	case c.metric == vectorv1.Metric_METRIC_DOT || lengths == 0:
		return float32(dot)
	default:
		return float32(dot / lengths)
	}
}

func main() {
	hector.Serve(hector.Name("example-database", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		vectorv1.RegisterDatabaseProviderServer(to, &store{collections: map[string]*collection{}})
	}))
}
