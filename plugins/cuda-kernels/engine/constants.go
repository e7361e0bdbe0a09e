package engine

import (
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// constants are numbers of the Graph that kernels read, such as RoPE's frequencies.
type constants struct {
	values [][]float32
	spans  []span
}

// addConstant keeps numbers and gives their index; equal ones are kept once.
func (e *Engine) addConstant(values []float32) int {
	for i, v := range e.constants.values {
		if slices.Equal(v, values) {
			return i
		}
	}
	e.constants.values = append(e.constants.values, values)
	return len(e.constants.values) - 1
}

// constantAt is where the GPU finds them.
func (e *Engine) constantAt(i int) device.Pointer { return e.at(e.constants.spans[i]) }

func (c *constants) layOut(a *arena) {
	c.spans = nil
	for _, v := range c.values {
		c.spans = append(c.spans, a.take("weights", int64(len(v))*4))
	}
}

// uploadConstants copies them to the GPU.
func (e *Engine) uploadConstants() {
	for i, v := range e.constants.values {
		data := make([]byte, 4*len(v))
		device.Float32.Encode(data, v)
		e.q.Upload(e.constantAt(i), data)
	}
}
