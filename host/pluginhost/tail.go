package pluginhost

import (
	"strings"
	"sync"
	"unicode"
)

const (
	tailLines = 40   // kept of the end, and of the beginning of a panic
	tailWidth = 1000 // bytes kept of each line
)

// A tail keeps what a process said last.
type tail struct {
	mu    sync.Mutex
	first []string // a panic and what follows it
	last  []string
	error string // the last line that was logged as an error
}

// add keeps a line; failure says that it was logged as an error.
func (t *tail) add(line string, failure bool) {
	line = printable(line, tailWidth)
	if line == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if failure {
		t.error = line
	}
	if begins := isPanic(line); (begins || len(t.first) > 0) && len(t.first) < tailLines {
		t.first = append(t.first, line)
		return
	}
	t.last = append(t.last, line)
	if len(t.last) > tailLines {
		t.last = t.last[1:]
	}
}

// cause is the line that most likely says why a process died.
func (t *tail) cause() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.first) > 0:
		return t.first[0]
	case t.error != "":
		return t.error
	case len(t.last) > 0:
		return t.last[len(t.last)-1]
	}
	return ""
}

// all are the kept lines in order.
func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.first) == 0 {
		return append([]string(nil), t.last...)
	}
	// Lines before a panic stand in last too: the panic is what a reader needs first.
	return append(append([]string(nil), t.first...), t.last...)
}

// isPanic reports whether the Go runtime begins to say here why it ends.
func isPanic(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") ||
		strings.HasPrefix(line, "runtime: ") || strings.HasPrefix(line, "SIG")
}

// printable is line without control characters, which could steer a terminal,
// of at most width bytes.
func printable(line string, width int) string {
	if len(line) > width {
		line = strings.ToValidUTF8(line[:width], "") + "…"
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "�")))
}
