package hector

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// checked lists what is wrong with a value, each with its place: the library itself stops at the first.
func checked(schema *jsonschema.Schema, value any, path string) []error {
	object, isObject := value.(map[string]any)
	if !isObject || schema.Properties == nil && schema.Type != "object" {
		return checkedWhole(schema, value, path)
	}
	var problems []error
	for _, name := range schema.Required {
		if _, given := object[name]; !given {
			problems = append(problems, Problem{Path: path, Summary: fmt.Sprintf("%q is missing", name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		place := path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		switch property := schema.Properties[name]; {
		case property != nil:
			problems = append(problems, checked(property, object[name], place)...)
		case schema.AdditionalProperties != nil:
			if checkedWhole(schema.AdditionalProperties, object[name], place) != nil {
				known := strings.Join(slices.Sorted(maps.Keys(schema.Properties)), ", ")
				summary := fmt.Sprintf("%q is no setting of this plugin", name)
				problems = append(problems, Problem{Path: place, Summary: summary, Detail: "there are: " + known})
			}
		}
	}
	return problems
}

func checkedWhole(schema *jsonschema.Schema, value any, path string) []error {
	resolved, err := schema.CloneSchemas().Resolve(nil) // a schema can be resolved once
	if err != nil {
		panic(fmt.Sprintf("settings: %v", err))
	}
	if err := resolved.Validate(value); err != nil {
		summary := strings.TrimPrefix(err.Error(), "validating root: ")
		if schema.WriteOnly { // the library quotes what it finds
			summary = "this secret is not what its schema asks for"
		}
		return []error{Problem{Path: path, Summary: summary}}
	}
	return nil
}

// markSecrets makes `secret:"true"` of a struct's fields writeOnly in its schema.
func markSecrets[T any](schema *jsonschema.Schema) { mark(reflect.TypeFor[T](), schema) }

func mark(kind reflect.Type, schema *jsonschema.Schema) {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct {
		return
	}
	for _, field := range reflect.VisibleFields(kind) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		if property := schema.Properties[name]; property != nil {
			property.WriteOnly = property.WriteOnly || field.Tag.Get("secret") == "true"
			mark(field.Type, property)
		}
	}
}
