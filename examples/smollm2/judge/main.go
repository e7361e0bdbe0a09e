// Command judge counts the answers of a run that are a pirate's: those of the
// untrained model and those at the end.
//
//	go run ./examples/smollm2/judge RUN
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/examples/smollm2/style"
	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/rundir"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: judge RUN")
		os.Exit(2)
	}
	if err := judge(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "judge: %v\n", err)
		os.Exit(1)
	}
}

func judge(run string) error {
	records, err := metrics.Latest(filepath.Join(run, rundir.MetricsFile))
	if err != nil {
		return err
	}
	answers := map[int64][]string{} // by step
	var steps []int64
	for _, r := range records {
		for name, text := range r.Texts {
			if !strings.HasPrefix(name, "eval/prompt_") {
				continue
			}
			_, answer, _ := strings.Cut(text, "\n\n")
			answers[r.Step] = append(answers[r.Step], answer)
			if !slices.Contains(steps, r.Step) {
				steps = append(steps, r.Step)
			}
		}
	}
	if len(steps) < 2 {
		return fmt.Errorf("%s has not answered its prompts before and after", run)
	}
	slices.Sort(steps)
	for _, step := range []int64{steps[0], steps[len(steps)-1]} {
		n := 0
		for _, a := range answers[step] {
			if style.Detect(a) {
				n++
			}
		}
		fmt.Printf("step %d: %d of %d answers are a pirate's\n", step, n, len(answers[step]))
	}
	return nil
}
