package pluginhost

import (
	"bytes"
	"fmt"
	"sync"
)

// lineLimit bounds a line of a plugin, in bytes; what is longer is cut.
const lineLimit = 64 << 10

// A lineWriter gives each line that is written to it to emit. It never fails and
// keeps no more than [lineLimit] bytes.
type lineWriter struct {
	emit func(line string)

	mu      sync.Mutex
	partial []byte
	dropped int
}

// Write takes bytes of any number of lines.
func (w *lineWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(data)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			w.keep(data)
			break
		}
		w.keep(data[:end])
		w.flush()
		data = data[end+1:]
	}
	return n, nil
}

// Close emits a last line that nothing ended.
func (w *lineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.flush()
	}
	return nil
}

func (w *lineWriter) keep(data []byte) {
	n := min(len(data), lineLimit-len(w.partial))
	w.partial = append(w.partial, data[:n]...)
	w.dropped += len(data) - n
}

func (w *lineWriter) flush() {
	line := string(bytes.TrimSuffix(w.partial, []byte("\r")))
	if w.dropped > 0 {
		line += fmt.Sprintf("… (%d more bytes)", w.dropped)
	}
	w.partial, w.dropped = w.partial[:0], 0
	if cap(w.partial) > 4096 {
		w.partial = nil
	}
	w.emit(line)
}
