package main

import (
	"context"
	"errors"
	"time"

	hector "github.com/hector-mesh/hector-go"
)

type pause struct {
	Seconds float64 `json:"seconds" jsonschema:"How long."`
}

// wait shows what it does, and stops when nobody waits for it any more.
var wait = hector.Tool("wait", "Waits for some seconds.", func(ctx context.Context, in pause) (string, error) {
	if in.Seconds < 0 {
		return "", errors.New("seconds must not be negative")
	}
	hector.Progress(ctx, 0, in.Seconds, "waiting")
	select {
	case <-time.After(time.Duration(in.Seconds * float64(time.Second))):
		return "waited", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}, hector.ReadOnly, hector.Idempotent)
