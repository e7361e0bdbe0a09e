package refbackend

import (
	"context"
	"math"
	"runtime"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
)

// block is the backend's block in a run file.
type block struct {
	MicroBatchTokens int `config:"micro_batch_tokens"`
}

// Estimate is the plan that Bind would make.
func (b *Backend) Estimate(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	if b.closed {
		return nil, b.state(false)
	}
	_, plan, err := makePlan(req)
	return plan, err
}

// Bind plans for good.
func (b *Backend) Bind(_ context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	switch {
	case b.closed:
		return nil, b.state(false)
	case b.req != nil:
		return nil, fault.New(fault.OutOfOrder, "Bind came twice")
	}
	schedule, plan, err := makePlan(req)
	if err != nil {
		return nil, err
	}
	b.req, b.schedule = req, schedule
	return plan, nil
}

// planForm is Plan.Bound: there is one way only to run a Graph here.
const planForm = "reference 1"

func makePlan(req *kernels.BindRequest) (*diff.Schedule, *kernels.Plan, error) {
	var settings block
	if err := config.Decode(req.Settings.Config, &settings); err != nil {
		return nil, nil, err
	}
	if settings.MicroBatchTokens < 0 {
		return nil, nil, config.Errorf([]string{"micro_batch_tokens"}, "%d tokens", settings.MicroBatchTokens)
	}
	if err := supported(req); err != nil {
		return nil, nil, err
	}
	var schedule *diff.Schedule
	if req.Phases.Train {
		var err error
		if schedule, err = diff.Differentiate(req.Graph, diff.Options{Adapter: req.Settings.Adapter}); err != nil {
			return nil, nil, fault.New(fault.BadInput, "%w", err)
		}
	}
	plan := &kernels.Plan{
		Device:           kernels.Device{Kind: "cpu", Name: runtime.GOARCH},
		MicroBatchTokens: batchLimit(req),
		Memory:           memory(req, schedule),
		FLOPsPerToken:    math.Max(1, facts.FLOPsPerToken(req.Graph, req.Phases, req.Settings.MaxLength)),
		Notes:            []string{"everything is computed in float64"},
		Bound:            []byte(planForm),
		SameAsPrevious:   string(req.Previous) == planForm,
	}
	if limit, need := req.Limits.MemoryBytes, plan.TotalBytes(); limit > 0 && limit < need {
		err := fault.New(fault.LimitTooSmall, "%d bytes of memory; the plan takes %d", limit, need)
		err.NeedBytes = need
		return nil, nil, err
	}
	return schedule, plan, nil
}

// supported reports what the interpreter does not run.
func supported(req *kernels.BindRequest) error {
	if t := req.Settings.WeightType; t != "" && t != "auto" && t != "float32" {
		return fault.New(fault.Unsupported, "weights held as %s", t)
	}
	return nil
}

// batchLimit is the most tokens of a micro-batch.
func batchLimit(req *kernels.BindRequest) int {
	var settings block
	_ = config.Decode(req.Settings.Config, &settings) // makePlan has seen its error
	return max(1, req.Settings.MaxLength, settings.MicroBatchTokens)
}

// memory is what a run takes, all numbers being float64.
func memory(req *kernels.BindRequest, schedule *diff.Schedule) []kernels.MemoryItem {
	var frozen, trained int64
	for _, p := range req.Graph.Params {
		if p.Trainable {
			trained += int64(p.Elements())
		} else {
			frozen += int64(p.Elements())
		}
	}
	if schedule == nil {
		schedule = diff.ForwardOnly(req.Graph, diff.Options{Adapter: req.Settings.Adapter})
	}
	tokens := max(batchLimit(req), req.Phases.GenerateLength)
	buffers := live.Buffers(schedule)
	sizes := make([]int64, len(buffers))
	for i, buffer := range buffers {
		v := req.Graph.Values[buffer.Value]
		sizes[i] = int64(tokens) * int64(v.Width) * int64(max(1, v.Slots))
	}
	items := []kernels.MemoryItem{
		{Category: "weights", Bytes: 8 * frozen},
		{Category: "adapters", Bytes: 8 * trained},
		{Category: "activations", Bytes: 8 * live.Peak(buffers, sizes)},
	}
	if req.Phases.Train {
		items = append(items, kernels.MemoryItem{Category: "gradients", Bytes: 8 * trained},
			kernels.MemoryItem{Category: "optimizer", Bytes: 16 * trained})
	}
	return items
}
