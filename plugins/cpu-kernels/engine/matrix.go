package engine

import (
	"fmt"

	"github.com/honeml/hone/sdk/weights/halffloat"
)

// The types in which frozen weights are held.
const (
	heldFloat32  = "float32"
	heldBFloat16 = "bfloat16"
	heldFloat16  = "float16"
)

// A matrix is a parameter in memory, seen as [rows, cols].
type matrix struct {
	rows, cols int
	held       string
	f32        []float32 // heldFloat32
	u16        []uint16  // the others
}

func newMatrix(rows, cols int, held string) *matrix {
	m := &matrix{rows: rows, cols: cols, held: held}
	if held == heldFloat32 {
		m.f32 = make([]float32, rows*cols)
	} else {
		m.u16 = make([]uint16, rows*cols)
	}
	return m
}

// heldBytes is the size of an element.
func heldBytes(held string) int64 {
	if held == heldFloat32 {
		return 4
	}
	return 2
}

// row widens row i into dst.
func (m *matrix) row(i int, dst []float32) { m.part(i*m.cols, dst) }

// part widens the elements from at on into dst.
func (m *matrix) part(at int, dst []float32) {
	switch m.held {
	case heldFloat32:
		copy(dst, m.f32[at:at+len(dst)])
	case heldBFloat16:
		halffloat.WidenBFloat16(dst, m.u16[at:at+len(dst)])
	default:
		halffloat.WidenFloat16(dst, m.u16[at:at+len(dst)])
	}
}

// set narrows src to the elements from at on.
func (m *matrix) set(at int, src []float32) {
	switch m.held {
	case heldFloat32:
		copy(m.f32[at:], src)
	case heldBFloat16:
		halffloat.NarrowBFloat16(m.u16[at:at+len(src)], src)
	default:
		halffloat.NarrowFloat16(m.u16[at:at+len(src)], src)
	}
}

// parseHeld is the type in which weights that a run file calls weightType are
// held; natural is what the checkpoint's own type comes to.
func parseHeld(weightType, natural string) (string, error) {
	switch weightType {
	case "", "auto":
		return natural, nil
	case heldFloat32, heldBFloat16, heldFloat16:
		return weightType, nil
	}
	return "", fmt.Errorf("weights of type %q: this backend holds float32, bfloat16 and float16", weightType)
}
