package hector

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	toolv1 "github.com/hector-mesh/hector-go/hector/tool/v1"
)

// ToolSpec is one tool that a plugin offers; Tool makes one.
type ToolSpec struct {
	listed *commonv1.Tool
	run    func(context.Context, string, bool) (*toolv1.ExecuteToolResponse, error)
}

// Hint says something about a tool to hosts and models; any function that changes a listed tool is one.
type Hint func(*commonv1.Tool)

// ReadOnly says that the tool changes nothing.
func ReadOnly(tool *commonv1.Tool) { annotations(tool).ReadOnly = true }

// Idempotent says that calling twice does the same as calling once: a host may repeat such calls.
func Idempotent(tool *commonv1.Tool) { annotations(tool).Idempotent = true }

// Destructive says that the tool may destroy something.
func Destructive(tool *commonv1.Tool) { annotations(tool).Destructive = true }

// RequiresApproval says that a person must allow each call.
func RequiresApproval(tool *commonv1.Tool) { annotations(tool).RequiresApproval = true }

func annotations(tool *commonv1.Tool) *commonv1.ToolAnnotations {
	if tool.Annotations == nil {
		tool.Annotations = &commonv1.ToolAnnotations{}
	}
	return tool.Annotations
}

// Tool makes a tool of a function. Models read the description to choose it. In is a struct of the arguments:
// `json` tags name them, `jsonschema` tags describe them, and what has no `omitempty` must be given.
//
// What the function returns is for the model: a string as it is, a *toolv1.ExecuteToolResponse as it is, and
// anything else as JSON with a schema. So is its error, unless it is a status (Errorf), which says that the
// tool could not be run at all.
func Tool[In, Out any](name, description string, run func(context.Context, In) (Out, error), hints ...Hint) *ToolSpec {
	schema, resolved := schemaOf[In](name)
	listed := &commonv1.Tool{Name: name, Description: description, ParametersJson: schema, ResultSchemaJson: resultSchema[Out](name)}
	for _, hint := range hints {
		hint(listed)
	}
	call := func(ctx context.Context, arguments string, dryRun bool) (*toolv1.ExecuteToolResponse, error) {
		if arguments == "" {
			arguments = "{}"
		}
		var in In
		if err := readArguments(arguments, resolved, &in); err != nil {
			return nil, Errorf(codes.InvalidArgument, "TOOL_ARGUMENTS_INVALID", "arguments of %q: %v", name, err)
		}
		if dryRun {
			return &toolv1.ExecuteToolResponse{Success: true, Result: "would run " + name}, nil
		}
		out, err := run(ctx, in)
		if err == nil {
			return responseOf(out)
		}
		if _, isStatus := status.FromError(err); isStatus || ctx.Err() != nil {
			return nil, err
		}
		return &toolv1.ExecuteToolResponse{Error: err.Error()}, nil
	}
	return &ToolSpec{listed, call}
}

func readArguments(arguments string, schema *jsonschema.Resolved, into any) error {
	var given any
	if err := json.Unmarshal([]byte(arguments), &given); err != nil {
		return err
	}
	if err := schema.Validate(given); err != nil {
		return err
	}
	return json.Unmarshal([]byte(arguments), into)
}

func responseOf(out any) (*toolv1.ExecuteToolResponse, error) {
	switch out := out.(type) {
	case string:
		return &toolv1.ExecuteToolResponse{Success: true, Result: out}, nil
	case *toolv1.ExecuteToolResponse:
		return out, nil
	}
	text, err := json.Marshal(out)
	return &toolv1.ExecuteToolResponse{Success: true, Result: string(text), StructuredJson: string(text)}, err
}

func resultSchema[Out any](name string) string {
	switch any(*new(Out)).(type) {
	case string, *toolv1.ExecuteToolResponse:
		return ""
	}
	schema, _ := schemaOf[Out](name)
	return schema
}

// schemaOf derives a schema from a type. A type that has none is a mistake in the program, not in a call.
func schemaOf[T any](name string) (string, *jsonschema.Resolved) {
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	text, err := json.Marshal(schema)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return string(text), resolved
}
