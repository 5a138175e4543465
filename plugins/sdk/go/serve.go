// Package hector is what a plugin for Hector is written with in Go: hector.Serve(hector.Tools(upper)).
//
// A plugin is a gRPC server that Hector starts. This package does what all of them have in common: the
// handshake, health, the token, configuration, logs and an orderly end. What a plugin serves are the
// contracts themselves, whose generated code stands in the folders below.
package hector

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// Part is something that a plugin is made of: its name, its tools, a service, its settings.
type Part interface {
	join(*plugin)
}

// Name says what the plugin calls itself, and its version as in semver.org. Without it the plugin has its
// program's name and version 0.0.0.
func Name(name, version string) Part {
	return partFunc(func(p *plugin) { p.info.Name, p.info.Version = name, version })
}

// Metrics lets the host collect the plugin's own metrics, in Prometheus's text format.
func Metrics(collect func(context.Context) ([]byte, error)) Part {
	return partFunc(func(p *plugin) { p.metrics = collect })
}

// Limit says how many calls the plugin takes at once. The host keeps others waiting.
func Limit(calls uint32) Part {
	return partFunc(func(p *plugin) { p.info.MaxConcurrency = calls })
}

// Serve serves the parts until the host asks to end, and leaves the program; what is printed meanwhile goes
// to standard error, the host's log.
//
// The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in flight
// get HECTOR_DRAIN_S seconds. `--standalone ADDRESS` on the command line serves without a host, for a
// debugger: ADDRESS is unix:/tmp/plugin.sock or 127.0.0.1:7010.
func Serve(parts ...Part) {
	line := takeStdout()
	how, err := readLaunch(os.Getenv, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(err.code)
	}
	p := newPlugin(filepath.Base(os.Args[0]), how.token, parts)
	slog.SetDefault(newLogger(os.Stderr, p.info.Name, how))
	if err := p.run(how, line); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

type partFunc func(*plugin)

func (f partFunc) join(p *plugin) { f(p) }
