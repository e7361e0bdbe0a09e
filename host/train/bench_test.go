package train

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
)

// workEnv says how long a step of the served fake takes.
const workEnv = "HONE_TEST_STEP"

// TestMain is the tests or, started by pluginhost, a kernels plugin without
// mathematics.
func TestMain(m *testing.M) {
	if os.Getenv(plugin.CookieName) == plugin.CookieValue {
		work, err := time.ParseDuration(os.Getenv(workEnv))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		kernels.Serve(&fake{work: work})
	}
	os.Exit(m.Run())
}

// servedFake is the fake in a process of its own.
type servedFake struct{ *pluginhost.Process }

// Backend is the host's side of it.
func (p servedFake) Backend() kernels.Backend { return p.Kernels() }

// served is a run of steps of that many tokens, in documents of 256, on a kernels
// plugin whose steps take work.
func served(b *testing.B, tokens int, work time.Duration, steps int64) *Trainer {
	b.Helper()
	const length = 256
	var docs []*data.Document
	for range 4 * tokens / length {
		d := &data.Document{IDs: make([]int32, length), Supervised: make([]bool, length)}
		for i := range d.IDs {
			d.IDs[i], d.Supervised[i] = int32(100*i), true
		}
		docs = append(docs, d)
	}
	program, err := os.Executable()
	must(b, err)
	r, _ := newTrainer(b, b.TempDir(), nil)
	r.Start = func(ctx context.Context) (Process, error) {
		p, err := pluginhost.Start(ctx, pluginhost.Plugin{Kind: plugin.Kernels, Name: "fake", Path: program},
			pluginhost.Options{Env: []string{workEnv + "=" + work.String()}})
		return servedFake{p}, err
	}
	r.Documents, r.Evaluation, r.Prompts, r.EvaluateAt = docs, nil, nil, 0
	r.Bind.Settings.MaxLength = 1024
	r.Checkpoint.Every = 0
	r.Order = data.OrderSpec{Seed: 1, Shuffle: true, TokensPerStep: tokens, Steps: max(2, steps)}
	return r
}

// BenchmarkStep is what a step costs beside the kernels plugin's work: documents
// dealt out and packed, messages there and back between two processes, records,
// display. It is the time of a step of a plugin that takes none.
func BenchmarkStep(b *testing.B) {
	for _, tokens := range []int{1024, 16384} {
		b.Run(fmt.Sprint(tokens, "-tokens"), func(b *testing.B) {
			r := served(b, tokens, 0, int64(b.N))
			var first, last time.Time
			r.Metrics = []Metric{clock{&first, &last}}
			must(b, r.Run(b.Context()))
			// Without the plugin's start and the result's end.
			b.ReportMetric(float64(last.Sub(first).Microseconds())/float64(r.Order.Steps-1), "µs/step")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkWait is how long a plugin whose steps take 10 ms waits for each: what of
// BenchmarkStep its work does not hide.
func BenchmarkWait(b *testing.B) {
	for _, tokens := range []int{1024, 16384} {
		b.Run(fmt.Sprint(tokens, "-tokens"), func(b *testing.B) {
			r := served(b, tokens, 10*time.Millisecond, int64(b.N))
			must(b, r.Run(b.Context()))
			sum := 0.0
			records := history(b, r)[1:] // the first step has nothing to hide behind
			for _, record := range records {
				sum += record.Scalars[waited]
			}
			b.ReportMetric(1e6*sum/float64(len(records)), "µs/step")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// clock is a metric that notes when the first and the last step came in.
type clock struct{ first, last *time.Time }

// Name is that of the metric.
func (c clock) Name() string { return "clock" }

// Eval notes the time.
func (c clock) Eval(map[string]float64) (float64, error) {
	*c.last = time.Now()
	if c.first.IsZero() {
		*c.first = *c.last
	}
	return 0, nil
}
