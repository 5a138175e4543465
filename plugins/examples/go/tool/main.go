// Example of a tool plugin: one tool that is done at once, and one that takes its time.
package main

import (
	"context"
	"errors"
	"time"

	hector "github.com/hector-mesh/hector-go"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

var settings = hector.NewSettings(struct {
	Suffix string `json:"suffix,omitempty" jsonschema:"What is put behind each text."`
}{})

var upper = hector.Tool("upper", "Turns a text into upper case.", func(_ context.Context, in struct {
	Text string `json:"text" jsonschema:"The text."`
}) (string, error) {
	return cases.Upper(language.Und).String(in.Text) + settings.Get().Suffix, nil
}, hector.ReadOnly, hector.Idempotent)

var wait = hector.Tool("wait", "Waits for some seconds.", func(ctx context.Context, in struct {
	Seconds float64 `json:"seconds" jsonschema:"How long."`
}) (string, error) {
	if in.Seconds < 0 {
		return "", errors.New("seconds must not be negative")
	}
	hector.Progress(ctx, 0, in.Seconds, "waiting")
	return "waited", hector.Sleep(ctx, time.Duration(in.Seconds*float64(time.Second)))
}, hector.ReadOnly, hector.Idempotent)

func main() {
	hector.Serve(hector.Name("example-tool", "1.0.0"), settings, hector.Tools(upper, wait))
}
