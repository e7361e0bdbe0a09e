// Package logger is what the author of a logger plugin implements: records of a
// run go somewhere, such as TensorBoard's files or W&B.
//
//	func main() { logger.Serve(new(tensorboard)) }
package logger

import (
	"context"
	"time"

	"github.com/honeml/hone/sdk/config"
)

// A Logger takes the records of one run.
//
// Life, in order; the host makes one call at a time:
//
//  1. Describe, at any time, also without Open.
//  2. Open, once. The logger reads its block of the run file and finds out which
//     records it already has: a run that goes on, or a logger that died and was
//     started again, opens with the same directory.
//  3. Log, again and again, with records in the order of (attempt, seq). When
//     it returns, the records survive the death of the logger's process. A record
//     that comes twice is the logger's to drop, by (attempt, seq).
//  4. Close, once, when the run ends. It flushes and may take as long as its
//     context allows. A host that dies closes nothing.
//
// The host keeps every record in metrics.jsonl and never waits for a logger: one
// that is slow or dead is caught up later.
type Logger interface {
	Describe(ctx context.Context) (*Description, error)
	Open(ctx context.Context, run *Run) (*Opened, error)
	Log(ctx context.Context, records []Record) error
	Close(ctx context.Context, status Status) error
}

// Rewind says how a logger takes records of steps that it already has: a run
// that crashed after step M and resumed at N < M logs N+1 to M again, under a new
// attempt.
type Rewind string

// The ways.
const (
	Purge   Rewind = "purge"   // readers drop the older attempt's records from step N+1 on
	Rewrite Rewind = "rewrite" // the logger replaces them
	Keep    Rewind = "keep"    // both stay
)

// A Description is what a logger plugin says of itself.
type Description struct {
	Name         string // the plugin's, such as tensorboard
	Version      string // semantic version of the plugin
	Schema       config.Schema
	Rewind       Rewind
	Capabilities []string // optional parts of the protocol that it has
}

// A Run is what a logger is opened for.
type Run struct {
	Name      string
	Directory string    // the run's folder, absolute; files of the logger's own go below it by default
	Attempt   int64     // 1 at the first start, one more at each resume
	Start     time.Time // of this attempt
	// Resolved is the resolved run file as JSON, without sensitive values.
	Resolved []byte
	// Hyperparameters are the run's settings as a flat table: numbers, strings
	// and booleans by dotted name.
	Hyperparameters map[string]any
	// Config is the plugin's block, for config.Decode.
	Config map[string]any
}

// Opened says what a logger already has and where it writes.
type Opened struct {
	Attempt int64 // of the last record that it has; 0: none
	Seq     int64
	Notes   []string // for people: "tensorboard --logdir runs/support/tensorboard"
}

// A Record is what a run has to say at one moment. (Attempt, Seq) is unique and
// grows; Seq never restarts.
type Record struct {
	Attempt int64
	Seq     int64
	Step    int64
	Time    time.Time

	Scalars    map[string]float64 // by name, such as train/loss; NaN and infinities occur
	Texts      map[string]string
	Histograms map[string]Histogram
	Images     map[string]string // name to a PNG file
	Tables     map[string]Table
}

// A Histogram counts values between edges: Counts[i] lie in [Edges[i], Edges[i+1]).
type Histogram struct {
	Edges           []float64 // one more than Counts
	Counts          []float64
	Sum, SumSquares float64
}

// A Table is text in rows and columns.
type Table struct {
	Columns []string
	Rows    [][]string
}

// A Status is how a run ended.
type Status struct {
	// State is "finished", "failed" or "interrupted".
	State  string
	Reason string // for failed: what happened
}
