package main

import (
	"testing"

	hector "github.com/hector-mesh/hector-go"
	"github.com/hector-mesh/hector-go/hectortest"
)

func TestTextsAreTurnedIntoUpperCase(t *testing.T) {
	plugin := hectortest.Start(t, settings, hector.Tools(upper))
	if wrong := plugin.Configure(map[string]string{"suffix": "!"}); wrong != nil {
		t.Fatal(wrong)
	}
	answer, err := plugin.Call(t.Context(), "upper", map[string]string{"text": "straße"})
	if err != nil || answer.Result != "STRASSE!" {
		t.Fatal(answer, err)
	}
}
