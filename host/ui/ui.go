// Package ui shows people what a run does: a live status line on a terminal,
// plain lines elsewhere, or events as JSON for programs.
//
// The training loop emits an [Event] for whatever happens; a [Display] shows it.
// What is shown is never what a run depends on: a display that cannot write is
// silent.
package ui

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// A Kind is what an event tells of.
type Kind string

// The kinds of events.
const (
	Info       Kind = "info"       // Message: something worth a line
	Warning    Kind = "warning"    // Message: something that may be wrong
	Progress   Kind = "progress"   // Message, Done, Total: something long, such as loading weights
	Step       Kind = "step"       // Step, Total, Scalars: an optimizer step is done
	Evaluation Kind = "evaluation" // Step, Scalars
	Generation Kind = "generation" // Step, Prompt, Text: what the model answers now
	Checkpoint Kind = "checkpoint" // Step, Message: the folder
	End        Kind = "end"        // Message: how the run ended
)

// An Event is something that happened in a run.
type Event struct {
	Time    time.Time          `json:"time"`
	Kind    Kind               `json:"kind"`
	Message string             `json:"message,omitempty"`
	Step    int64              `json:"step,omitempty"`
	Done    int64              `json:"done,omitempty"`
	Total   int64              `json:"total,omitempty"`
	Scalars map[string]float64 `json:"scalars,omitempty"`
	Prompt  string             `json:"prompt,omitempty"`
	Text    string             `json:"text,omitempty"`
}

// A Display shows events. Emit may be called from several goroutines; Close ends
// a live line.
type Display interface {
	Emit(Event)
	Close()
}

// New is the display for w: JSON if asked for, live where w is a terminal, plain
// elsewhere.
func New(w io.Writer, json bool) Display {
	if json {
		return &jsonDisplay{w: w}
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return newLive(f, func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 20 {
				return 80
			}
			return width
		})
	}
	return &plain{w: w}
}
