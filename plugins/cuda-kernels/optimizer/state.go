package optimizer

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
)

// A State is what the optimizer knows beside the moments, and what the last step came
// to. It lies in the GPU's memory; a checkpoint holds it as Encode gives it.
type State struct {
	Norm    float64 // of the gradient of the last step's mean loss, before clipping
	Loss    float64 // the last step's, as it was summed
	Updates int64   // steps that updated: Adam's t
	Skipped int64   // steps that did not

	Scale float32 // the loss scale of the next step
	Used  float32 // of the last step

	// What the update multiplies by: the summed gradient, the parameters, the first
	// moment, the root of the second.
	Factor, Decay, Size, Root float32

	NotFinite bool // the last step had a loss or gradient that is not finite

	Good     uint32 // steps since the scale changed
	Interval uint32 // good steps after which it grows
	Calm     uint32 // growths since the interval changed
	Streak   uint32 // steps in a row that overflowed
}

// StateBytes is the size of a State in memory and in a checkpoint.
const StateBytes = 80

// scaleOffset is where Scale stands in a State.
const scaleOffset = 32

// LossScale is where the loss scale stands of a State at an address: a float32, which
// the loss is multiplied by.
func LossScale(state device.Pointer) device.Pointer { return state.Offset(scaleOffset) }

// Encode is the State as it lies in memory: StateBytes bytes, little-endian.
func (s State) Encode() []byte {
	order := binary.LittleEndian
	var b []byte
	b = order.AppendUint64(b, math.Float64bits(s.Norm))
	b = order.AppendUint64(b, math.Float64bits(s.Loss))
	b = order.AppendUint64(b, uint64(s.Updates))
	b = order.AppendUint64(b, uint64(s.Skipped))
	for _, f := range []float32{s.Scale, s.Used, s.Factor, s.Decay, s.Size, s.Root} {
		b = order.AppendUint32(b, math.Float32bits(f))
	}
	flag := uint32(0)
	if s.NotFinite {
		flag = 1
	}
	for _, u := range []uint32{flag, s.Good, s.Interval, s.Calm, s.Streak, 0} {
		b = order.AppendUint32(b, u)
	}
	return b
}

// DecodeState reads what Encode gave. Bytes that are none of that, or hold what no
// step leaves behind, are [fault.BadWeights].
func DecodeState(b []byte) (State, error) {
	if len(b) != StateBytes {
		return State{}, fault.New(fault.BadWeights, "the optimizer's state has %d bytes, want %d", len(b), StateBytes)
	}
	order := binary.LittleEndian
	long := func(at int) uint64 { return order.Uint64(b[at:]) }
	short := func(at int) uint32 { return order.Uint32(b[at:]) }
	float := func(at int) float32 { return math.Float32frombits(short(at)) }
	s := State{
		Norm: math.Float64frombits(long(0)), Loss: math.Float64frombits(long(8)),
		Updates: int64(long(16)), Skipped: int64(long(24)),
		Scale: float(32), Used: float(36), Factor: float(40), Decay: float(44), Size: float(48), Root: float(52),
		NotFinite: short(56) != 0, Good: short(60), Interval: short(64), Calm: short(68), Streak: short(72),
	}
	return s, s.check()
}

func (s State) check() error {
	wrong := ""
	switch {
	case s.Updates < 0 || s.Skipped < 0:
		wrong = fmt.Sprintf("%d updates, %d steps skipped", s.Updates, s.Skipped)
	case !(s.Scale > 0) || math.IsInf(float64(s.Scale), 0):
		wrong = fmt.Sprintf("the loss scale %g", s.Scale)
	case s.Interval == 0:
		wrong = "an interval of 0 steps"
	}
	if wrong != "" {
		return fault.New(fault.BadWeights, "the optimizer's state is damaged: it has %s", wrong)
	}
	return nil
}
