package optimizer

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
)

func TestStateRoundTrip(t *testing.T) {
	s := State{
		Norm: 1.5, Loss: 2.5, Updates: 7, Skipped: 3, Scale: 1024, Used: 2048, Factor: 0.5, Decay: 0.9, Size: 1e-3, Root: 3,
		NotFinite: true, Good: 11, Interval: 64, Calm: 1, Streak: 2,
	}
	b := s.Encode()
	if len(b) != StateBytes {
		t.Fatalf("%d bytes", len(b))
	}
	if got, err := DecodeState(b); err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	if got := math.Float32frombits(uint32(b[scaleOffset]) | uint32(b[scaleOffset+1])<<8 | uint32(b[scaleOffset+2])<<16 | uint32(b[scaleOffset+3])<<24); got != 1024 {
		t.Errorf("the loss scale at its offset is %g", got)
	}
	if LossScale(4096) != device.Pointer(4096+scaleOffset) {
		t.Error("LossScale is wrong")
	}
}

func TestDamagedState(t *testing.T) {
	good := State{Scale: 1, Interval: 1}
	for _, test := range []struct {
		name   string
		change func(*State)
		want   string
	}{
		{"updates", func(s *State) { s.Updates = -1 }, "-1 updates"},
		{"skipped", func(s *State) { s.Skipped = -5 }, "-5 steps skipped"},
		{"no scale", func(s *State) { s.Scale = 0 }, "loss scale 0"},
		{"scale", func(s *State) { s.Scale = float32(math.NaN()) }, "loss scale NaN"},
		{"infinite scale", func(s *State) { s.Scale = float32(math.Inf(1)) }, "loss scale +Inf"},
		{"interval", func(s *State) { s.Interval = 0 }, "interval of 0"},
	} {
		s := good
		test.change(&s)
		if _, err := DecodeState(s.Encode()); !errors.Is(err, fault.BadWeights) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	for _, n := range []int{0, StateBytes - 1, StateBytes + 1} {
		if _, err := DecodeState(make([]byte, n)); !errors.Is(err, fault.BadWeights) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestStart(t *testing.T) {
	for _, spec := range []Spec{{Elements: 1}, {Elements: 1, Scaling: Float16Scaling()}} {
		s := New(&device.Set{}, spec).Start()
		if _, err := DecodeState(s.Encode()); err != nil {
			t.Error(err)
		}
		if want := max(1, spec.Scaling.Initial); s.Scale != want {
			t.Errorf("starts with the loss scale %g, want %g", s.Scale, want)
		}
	}
}

// rescale is the definition of how the loss scale moves.
func rescale(s *State, overflow bool, o Scaling) {
	if overflow {
		s.Scale = max(o.Least, s.Scale/2)
		if s.Streak == 0 {
			s.Interval = min(o.Longest, 2*s.Interval)
		}
		s.Streak++
		s.Good, s.Calm = 0, 0
		return
	}
	s.Streak = 0
	if s.Good++; s.Good < s.Interval {
		return
	}
	s.Good = 0
	s.Scale = min(o.Most, 2*s.Scale)
	if s.Calm++; s.Calm == 2 {
		s.Calm, s.Interval = 0, max(o.Shortest, s.Interval/2)
	}
}

// TestScaling: whatever the scale that a model bears, a long run stays near it and
// loses few steps to finding it out.
func TestScaling(t *testing.T) {
	o := Float16Scaling()
	for _, limit := range []float32{0.01, 1, 300, 20000, 1e9} {
		s := New(&device.Set{}, Spec{Elements: 1, Scaling: o}).Start()
		lost, far := 0, 0
		for step := range 20000 {
			overflow := s.Scale > limit
			if overflow {
				lost++
			}
			rescale(&s, overflow, o)
			if step > 1000 && (s.Scale > 2*limit || s.Scale < min(limit, o.Most)/4) {
				far++
			}
		}
		if lost > 40 || far > 0 {
			t.Errorf("limit %g: %d steps lost, %d far from the limit", limit, lost, far)
		}
	}
}
