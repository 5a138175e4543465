package hector

// What Hector tells a plugin that it starts: hashicorp/go-plugin's handshake, version 1.

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName   = "HECTOR_PLUGIN"
	cookieValue  = "hector_plugin_v1" // no secret, but how a plugin knows that it was not started by hand
	appVersion   = "1"
	exitUsage    = 64
	exitProtocol = 78 // tells the host not to try again
	usualDrain   = 5 * time.Second
)

// launch is what one start of a plugin was told.
type launch struct {
	network, address string // as net.Listen takes them
	token            string // what callers have to show; empty means that nobody has to
	drain            time.Duration
	watchStdin       bool // the end of standard input means that the host is gone
	handshake        bool // somebody waits for the line on standard output
	logLevel         string
}

// notStarted says why a plugin does not even begin, and the code it leaves with.
type notStarted struct {
	sentence string
	code     int
}

func (n *notStarted) Error() string { return n.sentence }

func readLaunch(getenv func(string) string, arguments []string) (launch, *notStarted) {
	how := launch{token: getenv("HECTOR_PLUGIN_TOKEN"), drain: usualDrain, logLevel: getenv("HECTOR_LOG_LEVEL")}
	if seconds, err := strconv.ParseFloat(getenv("HECTOR_DRAIN_S"), 64); err == nil {
		how.drain = time.Duration(seconds * float64(time.Second))
	}
	if len(arguments) > 0 && arguments[0] == "--standalone" {
		if len(arguments) != 2 {
			sentence := "--standalone needs an address to listen on, as unix:/tmp/plugin.sock or 127.0.0.1:0"
			return how, &notStarted{sentence, exitUsage}
		}
		how.network, how.address = "tcp", arguments[1]
		if path, isUnix := strings.CutPrefix(arguments[1], "unix:"); isUnix {
			how.network, how.address = "unix", path
		}
		return how, nil
	}
	if getenv(cookieName) != cookieValue {
		sentence := "this is a plugin: name it under `plugins:` in hector.yaml, " +
			"or try it by itself with --standalone unix:/tmp/plugin.sock"
		return how, &notStarted{sentence, exitUsage}
	}
	offered := getenv("PLUGIN_PROTOCOL_VERSIONS")
	if offered != "" && !slices.Contains(strings.Split(offered, ","), appVersion) {
		sentence := fmt.Sprintf("this plugin speaks version %s of the protocol; the host offers %s", appVersion, offered)
		return how, &notStarted{sentence, exitProtocol}
	}
	folder := getenv("PLUGIN_UNIX_SOCKET_DIR")
	if folder == "" {
		folder = os.TempDir()
	}
	mark := make([]byte, 4)
	rand.Read(mark) // never fails
	how.network, how.address = "unix", filepath.Join(folder, "plugin-"+hex.EncodeToString(mark)+".sock")
	how.handshake, how.watchStdin = true, getenv("HECTOR_STDIN_WATCH") == "1"
	return how, nil
}

// lineFor gives what the host waits for on standard output.
func lineFor(at net.Addr) string {
	return fmt.Sprintf("1|%s|%s|%s|grpc|\n", appVersion, at.Network(), at.String())
}
