package ui

import (
	"encoding/json"
	"io"
	"math"
	"sync"
)

// jsonDisplay writes one object a line.
type jsonDisplay struct {
	mu sync.Mutex
	w  io.Writer
}

// Emit writes e. NaN and infinities, which JSON lacks, are left out of its
// scalars; metrics.jsonl has them.
func (d *jsonDisplay) Emit(e Event) {
	finite := make(map[string]float64, len(e.Scalars))
	for name, v := range e.Scalars {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			finite[name] = v
		}
	}
	e.Scalars = finite
	data, err := json.Marshal(e)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = d.w.Write(append(data, '\n')) // a display that cannot write is silent
}

// Close has nothing to end.
func (d *jsonDisplay) Close() {}
