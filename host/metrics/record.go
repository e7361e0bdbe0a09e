package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/honeml/hone/sdk/logger"
)

// line is a record as metrics.jsonl holds it.
type line struct {
	Attempt    int64                `json:"attempt"`
	Seq        int64                `json:"seq"`
	Step       int64                `json:"step"`
	Time       time.Time            `json:"time"`
	Scalars    map[string]number    `json:"scalars,omitempty"`
	Texts      map[string]string    `json:"texts,omitempty"`
	Histograms map[string]histogram `json:"histograms,omitempty"`
	Images     map[string]string    `json:"images,omitempty"`
	Tables     map[string]table     `json:"tables,omitempty"`
}

type histogram struct {
	Edges      []number `json:"edges"`
	Counts     []number `json:"counts"`
	Sum        number   `json:"sum"`
	SumSquares number   `json:"sum_squares"`
}

type table struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// number is a float64 whose NaN and infinities are the strings that JSON has no
// numbers for: "NaN", "Infinity", "-Infinity".
type number float64

// MarshalJSON writes n as a number or one of the three strings.
func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *number) UnmarshalJSON(data []byte) error {
	var f float64
	switch string(data) {
	case `"NaN"`:
		f = math.NaN()
	case `"Infinity"`:
		f = math.Inf(1)
	case `"-Infinity"`:
		f = math.Inf(-1)
	default:
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
	}
	*n = number(f)
	return nil
}

func numbers(in []float64) []number {
	out := make([]number, len(in))
	for i, v := range in {
		out[i] = number(v)
	}
	return out
}

func floats(in []number) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}

// Encode is r as one line of metrics.jsonl, without the newline.
func Encode(r *logger.Record) ([]byte, error) {
	l := line{
		Attempt: r.Attempt, Seq: r.Seq, Step: r.Step, Time: r.Time.UTC().Round(0), Texts: r.Texts, Images: r.Images,
	}
	if len(r.Scalars) > 0 {
		l.Scalars = make(map[string]number, len(r.Scalars))
	}
	for name, v := range r.Scalars {
		l.Scalars[name] = number(v)
	}
	if len(r.Histograms) > 0 {
		l.Histograms = make(map[string]histogram, len(r.Histograms))
	}
	for name, h := range r.Histograms {
		l.Histograms[name] = histogram{numbers(h.Edges), numbers(h.Counts), number(h.Sum), number(h.SumSquares)}
	}
	if len(r.Tables) > 0 {
		l.Tables = make(map[string]table, len(r.Tables))
	}
	for name, t := range r.Tables {
		l.Tables[name] = table{t.Columns, t.Rows}
	}
	return json.Marshal(l)
}

// Decode reads a line of metrics.jsonl.
func Decode(data []byte) (*logger.Record, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if l.Attempt < 1 || l.Seq < 1 {
		return nil, fmt.Errorf("record: attempt %d, seq %d: both count from 1", l.Attempt, l.Seq)
	}
	r := &logger.Record{Attempt: l.Attempt, Seq: l.Seq, Step: l.Step, Time: l.Time, Texts: l.Texts, Images: l.Images}
	if len(l.Scalars) > 0 {
		r.Scalars = make(map[string]float64, len(l.Scalars))
	}
	for name, v := range l.Scalars {
		r.Scalars[name] = float64(v)
	}
	if len(l.Histograms) > 0 {
		r.Histograms = make(map[string]logger.Histogram, len(l.Histograms))
	}
	for name, h := range l.Histograms {
		r.Histograms[name] = logger.Histogram{
			Edges: floats(h.Edges), Counts: floats(h.Counts), Sum: float64(h.Sum), SumSquares: float64(h.SumSquares),
		}
	}
	if len(l.Tables) > 0 {
		r.Tables = make(map[string]logger.Table, len(l.Tables))
	}
	for name, t := range l.Tables {
		r.Tables[name] = logger.Table{Columns: t.Columns, Rows: t.Rows}
	}
	return r, nil
}
