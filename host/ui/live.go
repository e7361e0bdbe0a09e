package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// live keeps one line at the bottom of a terminal up to date and lets everything
// else scroll above it.
type live struct {
	mu     sync.Mutex
	w      io.Writer
	width  func() int
	begun  time.Time // before the first step
	status string    // the line that stands there now
}

func newLive(w io.Writer, width func() int) *live { return &live{w: w, width: width} }

// eraseLine returns to the line's beginning and clears it (ECMA-48).
const eraseLine = "\r\x1b[K"

// Emit shows e.
func (d *live) Emit(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	status := ""
	switch e.Kind {
	case Step:
		if d.begun.IsZero() {
			d.begun = e.Time
		}
		status = bar(e.Step, e.Total, 24) + " " + stepLine(e, e.Time.Sub(d.begun))
	case Progress:
		if e.Total > 0 && e.Done < e.Total {
			status = bar(e.Done, e.Total, 24) + " " + e.Message
		}
	default:
		if text := line(e, 0); text != "" {
			fmt.Fprint(d.w, eraseLine+text+"\n")
		}
		status = d.status
	}
	d.show(status)
}

func (d *live) show(status string) {
	if most := d.width() - 1; utf8.RuneCountInString(status) > most {
		status = string([]rune(status)[:most])
	}
	d.status = status
	fmt.Fprint(d.w, eraseLine+status)
}

// Close leaves the last status line where it is.
func (d *live) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status != "" {
		fmt.Fprintln(d.w)
		d.status = ""
	}
}

// bar is done of total as a bar of width cells, eight parts each.
func bar(done, total int64, width int) string {
	if total <= 0 {
		return ""
	}
	eighths := int(min(done, total) * int64(width) * 8 / total)
	var b strings.Builder
	b.WriteString(strings.Repeat("█", eighths/8))
	if rest := eighths % 8; rest > 0 {
		b.WriteRune([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	used := (eighths + 7) / 8
	b.WriteString(strings.Repeat("░", width-used))
	return b.String()
}
