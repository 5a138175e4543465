package hector

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
)

// newLogger writes hclog's JSON for a host, and plain text for a person. Plugins use log/slog, or log.
func newLogger(to io.Writer, name string, how launch) *slog.Logger {
	level := slog.LevelInfo
	level.UnmarshalText([]byte(how.logLevel)) // what is no level leaves it as it is
	if strings.EqualFold(how.logLevel, "trace") {
		level = slog.LevelDebug - 4
	}
	if !how.handshake {
		return slog.New(traced{slog.NewTextHandler(to, &slog.HandlerOptions{Level: level})})
	}
	handler := slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: asHclog})
	return slog.New(traced{handler}).With("@module", name)
}

func asHclog(groups []string, fact slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return fact
	}
	switch value := fact.Value.Any().(type) { // an author's own fact may have one of these names too
	case time.Time:
		if fact.Key == slog.TimeKey {
			return slog.String("@timestamp", value.Format("2006-01-02T15:04:05.000000Z07:00"))
		}
	case slog.Level:
		if fact.Key == slog.LevelKey {
			return slog.String("@level", levelName(value))
		}
	case string:
		if fact.Key == slog.MessageKey {
			return slog.String("@message", value)
		}
	}
	return fact
}

func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelDebug:
		return "trace"
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}

// traced adds to what is logged during a call which call that is: use slog.InfoContext and the like.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, record slog.Record) error {
	for header, name := range map[string]string{"traceparent": "traceparent", "hector-request-id": "request_id"} {
		if values := metadata.ValueFromIncomingContext(ctx, header); len(values) > 0 {
			record.AddAttrs(slog.String(name, values[0]))
		}
	}
	return t.Handler.Handle(ctx, record)
}

func (t traced) WithAttrs(facts []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(facts)} }

func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
