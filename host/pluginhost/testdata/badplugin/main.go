// Command badplugin is a plugin that misbehaves, for the tests of pluginhost. They
// build it once and link it under many names: what stands behind the kind in
// the file's name is what it does wrong.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "hold" {
		hold(os.Args[2])
		forever()
	}
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "hone-plugin-")
	switch name {
	case "logger-dies":
		fmt.Fprintln(os.Stderr, "cannot find the licence")
		os.Exit(1)
	case "logger-library":
		fmt.Fprintln(os.Stderr, "error while loading shared libraries: libmissing.so.1: cannot open shared object file: No such file or directory")
		os.Exit(127)
	case "logger-silent":
		fmt.Fprintln(os.Stderr, "waiting for a licence server")
		forever()
	case "logger-old":
		serveVersions(plugin.Logger, otherLogger(name), 0)
	case "logger-new":
		serveVersions(plugin.Logger, otherLogger(name), plugin.ProtocolVersion+1)
	case "logger-both":
		serveVersions(plugin.Logger, otherLogger(name), plugin.ProtocolVersion, plugin.ProtocolVersion+1)
	case "model-newer":
		serveNewerModel(name)
	case "logger-netrpc":
		fmt.Println("1|1|unix|/nowhere") // as plugins of go-plugin's first protocol say it
		forever()
	case "logger-kernels":
		kernels.Serve(&badKernels{})
	case "logger-noise":
		fmt.Println("a banner")
		fmt.Print(strings.Repeat("noise ", 20_000))
		logger.Serve(&badLogger{name: name})
	case "logger-panics":
		panic("no licence")
	}
	switch {
	case strings.HasPrefix(name, "logger-"):
		logger.Serve(&badLogger{name: name})
	case strings.HasPrefix(name, "model-"):
		model.Serve(&badModel{name: name})
	case strings.HasSuffix(name, "-kernels"):
		kernels.Serve(&badKernels{})
	}
	fmt.Fprintf(os.Stderr, "badplugin: what is %s?\n", name)
	os.Exit(3)
}

// hold connects to a socket, and so lets whoever listens see this process end.
func hold(socket string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		panic(err)
	}
	kept = conn
}

// kept keeps the connection from the garbage collector, which would close it.
var kept net.Conn

// startChild starts a process that outlives this one, unless somebody ends it. It
// holds this one's standard error too.
func startChild(socket string) {
	cmd := exec.Command(os.Args[0], "hold", socket)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// forever waits. A select without cases would end a program without other
// goroutines as a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}
