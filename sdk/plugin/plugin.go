// Package plugin is what all of hone's plugins share as processes: the
// handshake with the host, the versions of the protocol, and [Serve]. Authors
// call model.Serve, kernels.Serve or logger.Serve, which call it.
//
// # Life of a plugin process
//
//  1. The host starts the binary with the cookie of [Handshake] in its
//     environment. Started by hand, without it, the binary says what it is and
//     exits.
//  2. Serve points file descriptor 1 at 2, so that nothing that prints can
//     disturb or block the handshake, and opens the lifeline: a pipe whose other
//     end the host holds. When the host dies, however it dies, the pipe closes
//     and the plugin exits.
//  3. go-plugin negotiates the protocol's version, sets up TLS between the two
//     and serves gRPC on a Unix socket.
//  4. Log lines, written as JSON to standard error by [NewLogger], become the
//     host's own. What is printed otherwise, on either stream, is shown by the
//     host at the level debug, and its end with the error of a process that dies.
//  5. The host asks the process to end; two seconds later it kills it.
package plugin

import (
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// ProtocolVersion is the version of the services that this SDK speaks; the
// messages' package name carries it (hone.v1).
const ProtocolVersion = 1

// MaxMessageBytes bounds a message in either direction: whole steps of batches
// fit, tensors never travel.
const MaxMessageBytes = 64 << 20

// The environment of a plugin process.
const (
	// CookieName and CookieValue tell a plugin that a host started it.
	CookieName  = "HONE_PLUGIN"
	CookieValue = "started-by-hone"
	// LifelineEnv is the number of the file descriptor of the lifeline.
	LifelineEnv = "HONE_PLUGIN_LIFELINE"
	// LogLevelEnv is the least level that the plugin logs.
	LogLevelEnv = "HONE_PLUGIN_LOG_LEVEL"
)

// SocketFolderPrefix begins the names of the folders in which the host lets
// plugins make their sockets.
const SocketFolderPrefix = "hone-"

// SocketLock is the file in such a folder that its host holds a lock on.
const SocketLock = "host.lock"

// Handshake is what host and plugin recognise each other by.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion: ProtocolVersion, MagicCookieKey: CookieName, MagicCookieValue: CookieValue,
	}
}

// A Kind is one of the three services.
type Kind string

// The kinds of plugins, as go-plugin dispenses them.
const (
	Model   Kind = "model"
	Kernels Kind = "kernels"
	Logger  Kind = "logger"
)

// Versions is what a plugin of that kind serves, or a host asks for: one set for
// each version of the protocol.
func Versions(kind Kind, impl goplugin.Plugin) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{ProtocolVersion: {string(kind): impl}}
}

// NewLogger is the logger of a plugin process: JSON lines on standard error, which
// the host reads.
func NewLogger(name string) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv(LogLevelEnv))
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	return hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: os.Stderr, JSONFormat: true})
}

// Serve serves a plugin until the host ends it. It does not return.
func Serve(kind Kind, impl goplugin.Plugin) {
	if os.Getenv(CookieName) != CookieValue {
		fmt.Fprintf(os.Stderr, "%s is a %s plugin of hone, which starts it itself.\n", os.Args[0], kind)
		fmt.Fprintf(os.Stderr, "To see whether it works: hone plugins check %s\n", os.Args[0])
		os.Exit(2)
	}
	streams := keepStreams()
	stdout, err := divertStdout()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot divert standard output: %v\n", err)
		os.Exit(1)
	}
	watchLifeline()
	os.Stdout = stdout
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: Versions(kind, impl),
		Logger:           NewLogger(""),
		GRPCServer:       func(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(serverOptions(opts, streams)...) },
	})
	os.Exit(0)
}

// serverOptions are opts with the bounds of messages, and streams given back at
// the first call.
func serverOptions(opts []grpc.ServerOption, streams *streams) []grpc.ServerOption {
	return append(opts,
		grpc.MaxRecvMsgSize(MaxMessageBytes), grpc.MaxSendMsgSize(MaxMessageBytes),
		grpc.ChainUnaryInterceptor(streams.unary), grpc.ChainStreamInterceptor(streams.stream))
}

// streams are the process's own standard streams. go-plugin replaces os.Stdout
// and os.Stderr by pipes that it forwards over gRPC when it gets to it: what a
// process prints just before it exits is lost there. The descriptors themselves
// reach the host without anybody's help.
type streams struct {
	stdout, stderr *os.File
	once           sync.Once
}

func keepStreams() *streams { return &streams{stdout: os.Stdout, stderr: os.Stderr} }

// giveBack undoes the replacement, which go-plugin does before it serves.
func (s *streams) giveBack() {
	s.once.Do(func() { os.Stdout, os.Stderr = s.stdout, s.stderr })
}
