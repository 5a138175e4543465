package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	"github.com/hector-mesh/hector-go/hectortest"
)

func TestTextsAreTurnedIntoUpperCase(t *testing.T) {
	tool := hector.Tool("upper", "Turns a text into upper case.", upper)
	plugin := hectortest.Start(t, settings, hector.Tools(tool))
	if wrong := plugin.Configure(config{Suffix: "!"}); wrong != nil {
		t.Fatal(wrong)
	}
	answer, err := plugin.Call(t.Context(), "upper", input{Text: "straße"})
	if err != nil || answer.Result != "STRASSE!" {
		t.Fatal(answer, err)
	}
}
