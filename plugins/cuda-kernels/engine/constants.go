package engine

import (
	"bytes"
	"encoding/binary"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// constants are numbers of the Graph that kernels read, such as RoPE's frequencies, as
// they read them.
type constants struct {
	values [][]byte
	spans  []span
}

// addConstant keeps numbers and gives their index; equal ones are kept once.
func (e *Engine) addConstant(values []float32) int {
	data := make([]byte, 4*len(values))
	device.Float32.Encode(data, values)
	return e.constants.add(data)
}

// addIndices keeps indices as int32 likewise.
func (e *Engine) addIndices(values []int) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return e.constants.add(data)
}

func (c *constants) add(data []byte) int {
	for i, v := range c.values {
		if bytes.Equal(v, data) {
			return i
		}
	}
	c.values = append(c.values, data)
	return len(c.values) - 1
}

// constantAt is where the GPU finds them.
func (e *Engine) constantAt(i int) device.Pointer { return e.at(e.constants.spans[i]) }

func (c *constants) layOut(a *arena) {
	c.spans = nil
	for _, v := range c.values {
		c.spans = append(c.spans, a.take("weights", int64(len(v))))
	}
}

// uploadConstants copies them to the GPU.
func (e *Engine) uploadConstants() {
	for i, v := range e.constants.values {
		e.q.Upload(e.constantAt(i), v)
	}
}
