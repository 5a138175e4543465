// Example of a guardrail: it takes numbers of payment cards out of texts.
package main

import (
	"context"
	"regexp"
	"unicode/utf8"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	guardrailv1 "github.com/hector-mesh/hector-go/hector/guardrail/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

var card = regexp.MustCompile(`\b(?:\d[ -]?){12,18}\d\b`)

type cards struct {
	guardrailv1.UnimplementedGuardrailServer
}

func (cards) GetGuardrailInfo(
	context.Context, *guardrailv1.GetGuardrailInfoRequest,
) (*guardrailv1.GetGuardrailInfoResponse, error) {
	return &guardrailv1.GetGuardrailInfoResponse{Stages: []guardrailv1.Stage{
		guardrailv1.Stage_STAGE_USER_INPUT, guardrailv1.Stage_STAGE_MODEL_OUTPUT, guardrailv1.Stage_STAGE_TOOL_RESULT,
	}}, nil
}

func (cards) CheckContent(
	_ context.Context, request *guardrailv1.CheckContentRequest,
) (*guardrailv1.CheckContentResponse, error) {
	if request.Stage == guardrailv1.Stage_STAGE_UNSPECIFIED {
		return nil, hector.Errorf(codes.InvalidArgument, "NO_STAGE", "say the stage")
	}
	response := &guardrailv1.CheckContentResponse{Verdict: guardrailv1.Verdict_VERDICT_ALLOW}
	for place, part := range request.Parts {
		text := part.GetText()
		for _, match := range card.FindAllStringIndex(text, -1) {
			response.Findings = append(response.Findings, &guardrailv1.Finding{
				Rule: "pii.card", Message: "the number of a payment card", Part: uint32(place),
				Severity: guardrailv1.Severity_SEVERITY_HIGH,
				// Characters are counted, not bytes.
				Start: uint32(utf8.RuneCountInString(text[:match[0]])),
				End:   uint32(utf8.RuneCountInString(text[:match[1]])),
			})
		}
		if card.MatchString(text) {
			clean := card.ReplaceAllString(text, "[card]")
			part = &commonv1.Part{Content: &commonv1.Part_Text{Text: clean}}
			response.Verdict = guardrailv1.Verdict_VERDICT_MODIFY
		}
		response.Parts = append(response.Parts, part)
	}
	if response.Verdict == guardrailv1.Verdict_VERDICT_ALLOW {
		response.Parts = nil
	}
	return response, nil
}

func main() {
	hector.Serve(hector.Name("example-guardrail", "1.0.0"), hector.Service(func(to grpc.ServiceRegistrar) {
		guardrailv1.RegisterGuardrailServer(to, cards{})
	}))
}
