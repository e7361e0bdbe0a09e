package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
)

// Work is what is done at each step.
type Work struct {
	Tokens int     // of a step
	Length Lengths // of its documents
	Steps  int     // that are measured
	Warmup int     // steps before them
	Seed   uint64  // of tokens and lengths

	// Ceilings: the backend was asked for the ceilings of its device, which it measures
	// after the last step of training and reports with it. That is one step more, whose
	// time does not count.
	Ceilings bool
}

// Lengths are what documents have, in tokens: each as likely as the others.
type Lengths struct{ Least, Most int }

// String is 2048, or 200-800.
func (l Lengths) String() string {
	if l.Least == l.Most {
		return strconv.Itoa(l.Most)
	}
	return fmt.Sprintf("%d-%d", l.Least, l.Most)
}

// ParseLengths reads what String gives.
func ParseLengths(s string) (Lengths, error) {
	first, second, found := strings.Cut(s, "-")
	if !found {
		second = first
	}
	least, err := strconv.Atoi(first)
	most, errMost := strconv.Atoi(second)
	if err != nil || errMost != nil || least < 2 || most < least || most > 1<<24 {
		return Lengths{}, fault.New(fault.BadInput, "lengths of documents are written 2048 or 200-800, at least 2, not %q", s)
	}
	return Lengths{Least: least, Most: most}, nil
}

// Check says what of the work makes no sense.
func (w Work) Check() error {
	switch {
	case w.Tokens < 2 || w.Tokens > 1<<28:
		return fault.New(fault.BadInput, "a step of %d tokens", w.Tokens)
	case w.Length.Most > w.Tokens:
		return fault.New(fault.BadInput, "documents of up to %d tokens in steps of %d", w.Length.Most, w.Tokens)
	case w.Steps < 1 || w.Warmup < 0 || w.Steps+w.Warmup > 1<<20:
		return fault.New(fault.BadInput, "%d steps after %d of warm-up", w.Steps, w.Warmup)
	}
	return nil
}

// documents are those of a step, the last one as short as the step's tokens leave
// it; every token but the first of each is supervised. sample numbers them.
func (w Work) documents(step int64, vocabulary int, sample *int32) []data.Placed {
	random := rand.New(rand.NewPCG(w.Seed, uint64(step)))
	var out []data.Placed
	for left := w.Tokens; left > 0; {
		length := min(left, w.Length.Least+random.IntN(w.Length.Most-w.Length.Least+1))
		left -= length
		d := &data.Document{IDs: make([]int32, length), Supervised: make([]bool, length)}
		for t := range d.IDs {
			d.IDs[t], d.Supervised[t] = random.Int32N(int32(vocabulary)), t > 0
		}
		out = append(out, data.Placed{Document: d, Sample: *sample})
		*sample++
	}
	return out
}

// learningRate is the same at every step.
const learningRate = 2e-4

// step lays a step's documents out in micro-batches of at most so many tokens.
func (w Work) step(number int64, vocabulary, microBatch int, sample *int32) *kernels.Step {
	return &kernels.Step{
		Number: number, LearningRate: learningRate, Objective: kernels.CrossEntropy,
		Batches: data.Pack(w.documents(number, vocabulary, sample), microBatch, true),
	}
}
