package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
)

// A result is what a job gave.
type result struct {
	job
	compiled *nvrtc.Result
	log      cubin.Log
}

// compile compiles the jobs, so many at once. Those that do not compile are left out
// of the results, and in the error.
func compile(ctx context.Context, compiler *nvrtc.Compiler, jobs []job, atOnce int) ([]result, error) {
	results := make([]result, len(jobs))
	errs := make([]error, len(jobs))
	limit := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, j := range jobs {
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			compiled, err := compiler.Compile(ctx, j.source.Request(j.arch))
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", j, err)
				return
			}
			results[i] = result{j, compiled, cubin.ParseLog(compiled.Log)}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(results, func(r result) bool { return r.compiled == nil }), errors.Join(errs...)
}

// String names the job in messages, with how its source is specialised.
func (j job) String() string {
	return fmt.Sprintf("%s, %s for %s", j.family, j.source.Describe(), j.arch)
}

// rows are the kernels of a result for the table.
func (r result) rows() []cubin.Row {
	file := cubin.File{Kernels: r.compiled.Kernels}
	return file.Rows(r.file(), r.arch, r.log)
}

// worst is one row for each kernel and architecture: that which spills most, then
// that with the most local memory, then registers, then shared memory.
func worst(rows []cubin.Row) []cubin.Row {
	slices.SortStableFunc(rows, func(a, b cubin.Row) int {
		return cmp.Or(
			cmp.Compare(a.Source, b.Source), cmp.Compare(a.Kernel.Name, b.Kernel.Name), cmp.Compare(a.Arch, b.Arch),
			cmp.Compare(b.Spill.Stores+b.Spill.Loads, a.Spill.Stores+a.Spill.Loads),
			cmp.Compare(b.Kernel.LocalBytes, a.Kernel.LocalBytes),
			cmp.Compare(b.Kernel.Registers, a.Kernel.Registers),
			cmp.Compare(b.Kernel.SharedBytes, a.Kernel.SharedBytes),
		)
	})
	return slices.CompactFunc(rows, func(a, b cubin.Row) bool {
		return a.Source == b.Source && a.Kernel.Name == b.Kernel.Name && a.Arch == b.Arch
	})
}
