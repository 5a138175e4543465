// Example of an embedder plugin: hash makes a vector of a text's SHA-256.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	embedderv1 "github.com/hector-mesh/hector-go/hector/embedder/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const (
	model      = "hash"
	dimensions = 8
	maxBatch   = 128
)

type hash struct {
	embedderv1.UnimplementedEmbedderProviderServer
}

func (hash) EmbedText(
	_ context.Context, request *embedderv1.EmbedTextRequest,
) (*embedderv1.EmbedTextResponse, error) {
	if err := refuse(request); err != nil {
		return nil, err
	}
	vector, err := embed("text", request.Text)
	return &embedderv1.EmbedTextResponse{Success: true, VectorF32: vector, Usage: usage(request.Text)}, err
}

func (hash) EmbedBatch(
	_ context.Context, request *embedderv1.EmbedBatchRequest,
) (*embedderv1.EmbedBatchResponse, error) {
	if err := refuse(request); err != nil {
		return nil, err
	}
	if len(request.Texts) > maxBatch {
		return nil, refused("%d texts are too many: a batch holds at most %d", len(request.Texts), maxBatch)
	}
	response := &embedderv1.EmbedBatchResponse{Success: true, Usage: usage(request.Texts...)}
	for i, text := range request.Texts {
		vector, err := embed(fmt.Sprintf("texts[%d]", i), text)
		if err != nil {
			return nil, err
		}
		response.Embeddings = append(response.Embeddings, &embedderv1.Embedding{VectorF32: vector})
	}
	return response, nil
}

func (hash) GetDimensions(
	_ context.Context, request *embedderv1.GetDimensionsRequest,
) (*embedderv1.GetDimensionsResponse, error) {
	if err := unknown(request.Model); err != nil {
		return nil, err
	}
	return &embedderv1.GetDimensionsResponse{
		Dimensions: dimensions, MaxBatch: maxBatch, Normalized: true, Fingerprint: "sha256-8",
	}, nil
}

func refuse(request interface {
	GetModel() string
	GetDimensions() uint32
}) error {
	if wanted := request.GetDimensions(); wanted != 0 && wanted != dimensions {
		return refused("vectors of %d dimensions are not to be had, only of %d", wanted, dimensions)
	}
	return unknown(request.GetModel())
}

func unknown(name string) error {
	if name == "" || name == model {
		return nil
	}
	return hector.Errorf(codes.NotFound, "MODEL_NOT_FOUND", "there is no model %q here, but %q", name, model)
}

func refused(format string, args ...any) error {
	return hector.Errorf(codes.InvalidArgument, "EMBEDDING_REFUSED", format, args...)
}

func embed(place, text string) ([]byte, error) {
	if strings.TrimSpace(text) == "" {
		return nil, refused("%s has no words: an empty text has no vector", place)
	}
	digest := sha256.Sum256([]byte(text))
	var numbers [dimensions]float64
	var squares float64
	for i := range numbers {
		numbers[i] = float64(binary.BigEndian.Uint32(digest[4*i:]))/(1<<32) - 0.5
		squares += numbers[i] * numbers[i]
	}
	vector := make([]byte, 0, 4*dimensions)
	for _, number := range numbers {
		vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(float32(number/math.Sqrt(squares))))
	}
	return vector, nil
}

func usage(texts ...string) *commonv1.TokenUsage {
	var words int64
	for _, text := range texts {
		words += int64(len(strings.Fields(text)))
	}
	return &commonv1.TokenUsage{PromptTokens: words, TotalTokens: words}
}

func main() {
	hector.Serve(hector.Name("example-embedder", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		embedderv1.RegisterEmbedderProviderServer(to, hash{})
	}))
}
