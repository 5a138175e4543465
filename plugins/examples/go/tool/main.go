// Example of a tool plugin: upper here, wait in wait.go.
package main

import (
	"context"

	hector "github.com/hector-mesh/hector-go"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

type config struct {
	Suffix string `json:"suffix,omitempty" jsonschema:"What is put behind each text."`
}

type input struct {
	Text string `json:"text" jsonschema:"The text."`
}

var settings = hector.NewSettings(config{})

func upper(_ context.Context, in input) (string, error) {
	return cases.Upper(language.Und).String(in.Text) + settings.Get().Suffix, nil
}

func main() {
	upper := hector.Tool("upper", "Turns a text into upper case.", upper, hector.ReadOnly, hector.Idempotent)
	hector.Serve(hector.Name("example-tool", "1.0.0"), settings, hector.Tools(upper, wait))
}
