//go:build unix

package hector

import (
	"os"

	"golang.org/x/sys/unix"
)

// moveStdout makes descriptor 1 the same as 2, for everything in the process and all that it starts.
func moveStdout() (*os.File, error) {
	kept, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(kept), "handshake"), nil
}
