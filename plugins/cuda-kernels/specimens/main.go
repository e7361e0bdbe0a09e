// Command specimens compiles every CUDA kernel without a GPU, and prints what each
// takes: registers, memory, spills.
//
//	specimens [-nvrtc FOLDER] [-all] [FAMILY…]
//
// Each family of kernels (attention, norm and the others beside it) names a grid of
// specialisations. All of them are compiled for A100 and H100, and one of each kernel
// for the other GPUs. The table has the worst specialisation of each kernel; with
// -all every one.
//
// It exits with 1 where a source does not compile, or a kernel runs far slower than
// it was written to: see judge. It is not for what kernels compute; that is tested
// on a GPU.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
)

func main() {
	folder := flag.String("nvrtc", "", "the folder of libnvrtc; without it the first that is found")
	all := flag.Bool("all", false, "print every specialisation, not each kernel's worst alone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *folder, *all, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "specimens:", err)
		os.Exit(1)
	}
}

// run compiles the families of these names, or all; the error is of every mistake
// that was found.
func run(ctx context.Context, out io.Writer, folder string, all bool, names []string) error {
	compiler, err := open(folder)
	if err != nil {
		return err
	}
	jobs, err := plan(names)
	if err != nil {
		return err
	}
	start := time.Now()
	results, err := compile(ctx, compiler, jobs, runtime.GOMAXPROCS(0))
	mistakes := []error{err}
	var rows []cubin.Row
	for _, r := range results {
		rows = append(rows, r.rows()...)
		mistakes = append(mistakes, judge(r, knownSpills))
	}
	compiled := len(rows)
	if !all {
		rows = worst(rows)
	}
	if err := cubin.WriteTable(out, rows); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d kernels of %d sources in %.0f s by NVRTC %s\n", compiled, len(results), time.Since(start).Seconds(), compiler.Version())
	return errors.Join(mistakes...)
}

// open opens the NVRTC in a folder, or the first that is found.
func open(folder string) (*nvrtc.Compiler, error) {
	system := dl.Host()
	if folder != "" {
		system.Extra = []string{folder}
	}
	library, err := system.Finder().Open(dl.NVRTC, dl.Version{}, nil)
	if err != nil {
		return nil, err
	}
	return nvrtc.Open(library)
}
