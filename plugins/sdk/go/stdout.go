package hector

import (
	"os"
	"sync"
)

// Standard output belongs to the handshake: a stray print must not be taken for it. So a program that
// Hector starts loses it before main begins; any other keeps it until it calls Serve.
func init() {
	if os.Getenv(cookieName) == cookieValue {
		takeStdout()
	}
}

// takeStdout points standard output to standard error, and gives what it was before.
var takeStdout = sync.OnceValue(func() *os.File {
	kept, err := moveStdout()
	if err != nil { // there is no descriptor to keep it in: prints of Go code at least go elsewhere
		kept = os.Stdout
	}
	os.Stdout = os.Stderr
	return kept
})
