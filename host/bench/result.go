package bench

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// A Result is what was measured. As JSON its names are those of bench/peers.
type Result struct {
	Program   string `json:"program"` // hone, with the kernels plugin
	Model     string `json:"model"`
	Device    string `json:"device"`
	Precision string `json:"precision"`

	Parameters int64 `json:"parameters"`
	Trained    int64 `json:"trained"`

	Tokens           int    `json:"tokens"` // of a step
	Length           string `json:"length"` // of documents
	MicroBatchTokens int    `json:"micro_batch_tokens"`
	Steps            int    `json:"steps"`
	Warmup           int    `json:"warmup"`

	TokensPerSecond  float64 `json:"tokens_per_second"` // of the median step
	Slowest          float64 `json:"tokens_per_second_slowest"`
	Fastest          float64 `json:"tokens_per_second_fastest"`
	StepSeconds      float64 `json:"step_seconds"`     // the median
	FLOPsPerSecond   float64 `json:"flops_per_second"` // of the model's, by the plan
	FLOPsPerToken    float64 `json:"flops_per_token"`  // forward and backward, by the plan
	BindSeconds      float64 `json:"bind_seconds"`     // from the plugin's start to its plan
	LoadSeconds      float64 `json:"load_seconds"`     // weights, kernels
	FirstStepSeconds float64 `json:"first_step_seconds"`

	PlanBytes     int64        `json:"plan_bytes"`
	MeasuredBytes int64        `json:"peak_bytes,omitempty"` // as the plugin measures it; 0: it does not
	Memory        []MemoryItem `json:"memory"`
	Choices       []string     `json:"choices,omitempty"`
	Notes         []string     `json:"notes,omitempty"`

	First   *StepNumbers `json:"first"`
	Last    *StepNumbers `json:"last"`
	Skipped int          `json:"skipped,omitempty"` // steps whose loss scale overflowed

	// Families are the seconds of a step that each kind of kernel takes, where the
	// plugin says.
	Families map[string]float64 `json:"time,omitempty"`

	// Achieved is the time that a step would take at the device's own ceilings by that
	// of the median step; 0 where the plugin measures no ceilings.
	Achieved float64   `json:"achieved,omitempty"`
	Ceilings *Ceilings `json:"ceilings,omitempty"`
	// CeilingsError is why they could not be measured, or "".
	CeilingsError string `json:"ceilings_error,omitempty"`
}

// Ceilings are what the device reaches at the model's shapes, measured after the steps.
type Ceilings struct {
	StepSeconds    float64            `json:"step_seconds"`     // of a step at the ceilings
	Families       map[string]float64 `json:"time"`             // of it, by kind of kernel
	FLOPs          map[string]float64 `json:"flops_per_second"` // of each large product, by its shape
	BytesPerSecond float64            `json:"bytes_per_second"` // read and written by copies
}

// ceilingsOf reads them from a step's metrics; nil where there are none.
func ceilingsOf(metrics map[string]float64) *Ceilings {
	c := &Ceilings{Families: map[string]float64{}, FLOPs: map[string]float64{}, BytesPerSecond: metrics["ceiling/bytes"]}
	for name, v := range metrics {
		if family, ok := strings.CutPrefix(name, "ceiling/time/"); ok {
			c.Families[family] = v
		}
		if product, ok := strings.CutPrefix(name, "ceiling/flops/"); ok {
			c.FLOPs[product] = v
		}
	}
	for _, family := range slices.Sorted(maps.Keys(c.Families)) { // sums depend on the order
		c.StepSeconds += c.Families[family]
	}
	if c.StepSeconds == 0 {
		return nil
	}
	return c
}

// best is the rate of the fastest product.
func (c *Ceilings) best() float64 {
	best := 0.0
	for _, rate := range c.FLOPs {
		best = max(best, rate)
	}
	return best
}

// A MemoryItem is memory of one category of the plan.
type MemoryItem struct {
	Category string `json:"category"`
	Bytes    int64  `json:"bytes"`
}

// StepNumbers say whether a step is right.
type StepNumbers struct {
	Loss     Number `json:"loss"` // mean, per supervised token
	GradNorm Number `json:"grad_norm"`
}

// A Number is a float64 that JSON has as null where it is not finite.
type Number float64

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// newResult is what is known before anything is measured.
func newResult(bind *kernels.BindRequest, plan *kernels.Plan, work Work) *Result {
	sum := adapt.Summarise(bind.Graph)
	r := &Result{
		Program: "hone", Model: bind.Graph.Architecture, Device: plan.Device.Name, Precision: bind.Settings.Precision,
		Parameters: sum.Model, Trained: sum.Adapter + sum.Own,
		Tokens: work.Tokens, Length: work.Length.String(), MicroBatchTokens: plan.MicroBatchTokens, Steps: work.Steps, Warmup: work.Warmup,
		FLOPsPerToken: plan.FLOPsPerToken,
		PlanBytes:     plan.TotalBytes(), Notes: plan.Notes,
		Families: map[string]float64{},
	}
	for _, m := range plan.Memory {
		r.Memory = append(r.Memory, MemoryItem(m))
	}
	for _, c := range plan.Choices {
		r.Choices = append(r.Choices, c.What+" ("+c.Why+")")
	}
	return r
}

// summarise works out rates from the seconds of each step.
func (r *Result) summarise(seconds []float64) {
	slices.Sort(seconds)
	r.StepSeconds = median(seconds)
	rate := func(seconds float64) float64 { return float64(r.Tokens) / max(seconds, 1e-9) }
	r.TokensPerSecond = rate(r.StepSeconds)
	r.Fastest, r.Slowest = rate(seconds[0]), rate(seconds[len(seconds)-1])
	r.FLOPsPerSecond = r.FLOPsPerToken * r.TokensPerSecond
	if r.Ceilings != nil {
		r.Achieved = r.Ceilings.StepSeconds / max(r.StepSeconds, 1e-9)
	}
}

// median is that of sorted numbers.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
