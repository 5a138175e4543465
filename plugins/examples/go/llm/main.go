// Example of a model plugin: echo says what the user said.
package main

import (
	"context"
	"strings"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	llmv1 "github.com/hector-mesh/hector-go/hector/llm/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const model = "echo"

type echo struct {
	llmv1.UnimplementedLLMProviderServer
}

func (echo) ListModels(context.Context, *llmv1.ListModelsRequest) (*llmv1.ListModelsResponse, error) {
	known := &llmv1.Model{Name: model, DisplayName: "Echo", SupportsStreaming: true}
	return &llmv1.ListModelsResponse{Models: []*llmv1.Model{known}}, nil
}

func (echo) GenerateText(
	_ context.Context, request *llmv1.GenerateTextRequest,
) (*llmv1.GenerateTextResponse, error) {
	said, usage, err := answer(request)
	if err != nil {
		return nil, err
	}
	part := &commonv1.Part{Content: &commonv1.Part_Text{Text: said}}
	return &llmv1.GenerateTextResponse{
		Text: said, Usage: usage, Model: model, FinishReason: llmv1.FinishReason_FINISH_REASON_STOP,
		Message: &commonv1.Message{Role: commonv1.Role_ROLE_ASSISTANT, Parts: []*commonv1.Part{part}},
	}, nil
}

func (echo) StreamText(
	request *llmv1.StreamTextRequest, stream grpc.ServerStreamingServer[llmv1.StreamTextResponse],
) error {
	said, usage, err := answer(request)
	if err != nil {
		return err
	}
	for _, piece := range strings.SplitAfter(said, " ") {
		if piece == "" {
			continue
		}
		if err := stream.Send(&llmv1.StreamTextResponse{Text: piece}); err != nil {
			return err // the caller is gone
		}
	}
	return stream.Send(&llmv1.StreamTextResponse{
		Done: true, Usage: usage, Model: model, FinishReason: llmv1.FinishReason_FINISH_REASON_STOP,
	})
}

// asked is what both requests have in common.
type asked interface {
	GetModel() string
	GetPrompt() string
	GetMessages() []*commonv1.Message
}

func answer(request asked) (string, *commonv1.TokenUsage, error) {
	if name := request.GetModel(); name != "" && name != model {
		return "", nil, hector.Errorf(codes.NotFound, "MODEL_NOT_FOUND", "there is no model %q here, but %q", name, model)
	}
	said, read, found := request.GetPrompt(), len(strings.Fields(request.GetPrompt())), request.GetPrompt() != ""
	if messages := request.GetMessages(); len(messages) > 0 {
		said, read, found = "", 0, false
		for _, message := range messages {
			text := textOf(message)
			read += len(strings.Fields(text))
			if message.Role == commonv1.Role_ROLE_USER {
				said, found = text, true
			}
		}
	}
	if !found {
		return "", nil, hector.Errorf(codes.InvalidArgument, "NOTHING_TO_ECHO", "there is no message of the role user, and no prompt")
	}
	wrote := len(strings.Fields(said))
	usage := &commonv1.TokenUsage{
		PromptTokens: int64(read), CompletionTokens: int64(wrote), TotalTokens: int64(read + wrote),
	}
	return said, usage, nil
}

func textOf(message *commonv1.Message) string {
	var text strings.Builder
	for _, part := range message.Parts {
		text.WriteString(part.GetText())
	}
	return text.String()
}

func main() {
	hector.Serve(hector.Name("example-llm", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		llmv1.RegisterLLMProviderServer(to, echo{})
	}))
}
