//go:build !unix

package hector

import "os"

func moveStdout() (*os.File, error) { return os.Stdout, nil }
