package cli

import (
	"strings"
	"sync"
	"time"

	"github.com/honeml/hone/host/ui"
)

// answers is a display that remembers what the model answered, first and last, so
// that the end of a run shows the difference.
type answers struct {
	ui.Display
	mu          sync.Mutex
	prompts     []string
	first, last map[string]ui.Event
}

func newAnswers(d ui.Display) *answers {
	return &answers{Display: d, first: map[string]ui.Event{}, last: map[string]ui.Event{}}
}

// Emit notes answers and passes every event on.
func (a *answers) Emit(e ui.Event) {
	if e.Kind == ui.Generation {
		a.mu.Lock()
		if _, known := a.first[e.Prompt]; !known {
			a.prompts = append(a.prompts, e.Prompt)
			a.first[e.Prompt] = e
		}
		a.last[e.Prompt] = e
		a.mu.Unlock()
	}
	a.Display.Emit(e)
}

// summarise shows the first and the last answer to each prompt.
func (a *answers) summarise() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.prompts {
		first, last := a.first[p], a.last[p]
		if first.Step == last.Step {
			continue
		}
		a.Display.Emit(ui.Event{Time: time.Now(), Kind: ui.Info, Message: strings.Join([]string{
			"", p, "  before: " + indent(first.Text), "  after:  " + indent(last.Text),
		}, "\n")})
	}
}

func indent(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n          ")
}
