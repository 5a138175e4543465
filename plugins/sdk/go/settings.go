package hector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/jsonschema-go/jsonschema"

	pluginv1 "github.com/hector-mesh/hector-go/hector/plugin/v1"
)

// Settings is the plugin's own configuration, as the type T says it: `json` tags name the keys, `jsonschema`
// tags describe them, what has no `omitempty` is required, and `secret:"true"` marks what must never be shown.
type Settings[T any] struct {
	defaults T
	current  atomic.Pointer[T]
	schema   *jsonschema.Schema
	check    func(context.Context, T) error
	apply    func(context.Context, T) error
}

// NewSettings makes settings that hold the defaults until the host has configured the plugin, and wherever a
// key is left out. Give the result to Serve.
func NewSettings[T any](defaults T) *Settings[T] {
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		panic(fmt.Sprintf("settings: %v", err))
	}
	markSecrets[T](schema)
	s := &Settings[T]{defaults: defaults, schema: schema}
	s.current.Store(&defaults)
	return s
}

// Get gives the settings in force.
func (s *Settings[T]) Get() T { return *s.current.Load() }

// Check adds a check beyond what the type says; it changes nothing. A Problem names the key that is wrong.
func (s *Settings[T]) Check(check func(context.Context, T) error) *Settings[T] {
	s.check = check
	return s
}

// Apply adds what has to be done before new settings come in force, such as to connect. If it fails, the ones
// before stay.
func (s *Settings[T]) Apply(apply func(context.Context, T) error) *Settings[T] {
	s.apply = apply
	return s
}

// Problem is what is wrong with one key of the settings. Check and Apply may return several by errors.Join.
type Problem struct {
	Path    string // JSON pointer, for example "/api_key"
	Summary string // what is wrong; never holds a secret
	Detail  string // what to do about it
}

func (p Problem) Error() string { return p.Path + ": " + p.Summary }

// settings is Settings[T] for a plugin that does not know T.
type settings interface {
	schemaJSON() string
	// read checks a configuration; what it returns first puts it in force.
	read(context.Context, string) (func(context.Context) error, []*pluginv1.Diagnostic)
}

func (s *Settings[T]) join(p *plugin) { p.settings = s }

func (s *Settings[T]) schemaJSON() string {
	text, err := json.Marshal(s.schema)
	if err != nil {
		panic(fmt.Sprintf("settings: %v", err))
	}
	return string(text)
}

func (s *Settings[T]) read(ctx context.Context, text string) (func(context.Context) error, []*pluginv1.Diagnostic) {
	if text == "" {
		text = "{}"
	}
	var given map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil || given == nil {
		return nil, diagnostics(Problem{Summary: "the configuration is no JSON object"})
	}
	if problems := checked(s.schema, given, ""); len(problems) > 0 {
		return nil, diagnostics(errors.Join(problems...))
	}
	read := s.defaults
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return nil, diagnostics(Problem{Summary: "the configuration cannot be read: " + err.Error()})
	}
	if s.check != nil {
		if err := s.check(ctx, read); err != nil {
			return nil, diagnostics(err)
		}
	}
	return func(ctx context.Context) error {
		if s.apply != nil {
			if err := s.apply(ctx, read); err != nil {
				return err
			}
		}
		s.current.Store(&read)
		return nil
	}, nil
}

// diagnostics says each of the errors that were joined to one.
func diagnostics(err error) []*pluginv1.Diagnostic {
	if several, joined := err.(interface{ Unwrap() []error }); joined {
		var all []*pluginv1.Diagnostic
		for _, one := range several.Unwrap() {
			all = append(all, diagnostics(one)...)
		}
		return all
	}
	found := &pluginv1.Diagnostic{Severity: pluginv1.Diagnostic_SEVERITY_ERROR, Summary: err.Error()}
	var problem Problem
	if errors.As(err, &problem) {
		found.Path, found.Summary, found.Detail = problem.Path, problem.Summary, problem.Detail
	}
	return []*pluginv1.Diagnostic{found}
}
