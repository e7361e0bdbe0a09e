package parity

import "testing"

// TestInterpreter holds the Graph itself, run by its definition in float64, to the
// logits of transformers: packed documents at once against one by one.
func TestInterpreter(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			m, marked, adapter := openCase(t, g)
			if err := g.CheckLogits(marked, adapter, m.Checkpoint); err != nil {
				t.Error(err)
			}
		})
	}
}
