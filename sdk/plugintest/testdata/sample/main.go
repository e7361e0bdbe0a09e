// Command sample is the plugins of package sample and the reference backend as one
// binary, for the tests of plugintest: its name says which it is.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest/internal/sample"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

func main() {
	switch name := strings.TrimPrefix(filepath.Base(os.Args[0]), "hone-plugin-"); name {
	case "reference-kernels":
		kernels.Serve(refbackend.New())
	case "model-tiny":
		model.Serve(sample.Tiny{})
	case "logger-journal":
		logger.Serve(&sample.Journal{})
	case "logger-forgetful":
		logger.Serve(&sample.Journal{Buffered: true})
	case "logger-willing": // does as if a person had a use for it
		os.Exit(0)
	case "logger-immortal": // speaks the handshake and nothing more
		if os.Getenv("HONE_PLUGIN") == "" {
			fmt.Println("I am a plugin.")
			os.Exit(1)
		}
		fmt.Println("1|1|unix|/nowhere|grpc|")
		time.Sleep(time.Hour) // with select, the runtime would see a deadlock
	default:
		fmt.Fprintln(os.Stderr, "sample: what is", name)
		os.Exit(3)
	}
}
