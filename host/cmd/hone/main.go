// Command hone fine-tunes language models. Package cli has its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/honeml/hone/host/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, version, interrupts(cancel)))
}

// interrupts gives a channel that the first interrupt closes: what is under way
// comes to a good end. The second one ends it at once.
func interrupts(cancel func()) <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(stop)
		<-signals
		cancel()
		<-signals
		os.Exit(130)
	}()
	return stop
}
