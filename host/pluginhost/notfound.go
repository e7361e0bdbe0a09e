package pluginhost

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/honeml/hone/sdk/plugin"
)

// A NotFoundError says that no plugin of a name is installed.
type NotFoundError struct {
	Kind      plugin.Kind
	Name      string
	Installed []string  // names of that kind
	Skipped   []Skipped // files of that name that cannot be used
}

// Error names what is missing, what is installed, and the name that may be meant.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no %s plugin %q is installed", e.Kind, e.Name)
	if near := e.Nearest(); near != "" {
		fmt.Fprintf(&b, "; did you mean %q?", near)
	}
	if len(e.Installed) > 0 {
		fmt.Fprintf(&b, " (installed: %s)", strings.Join(e.Installed, ", "))
	}
	for _, s := range e.Skipped {
		fmt.Fprintf(&b, "; %s", s)
	}
	return b.String()
}

// Nearest is the installed name that may be meant, or "".
func (e *NotFoundError) Nearest() string {
	best, distance := "", 2 // more than a letter only in longer names; two letters swapped count as two
	if len(e.Name) > 3 {
		distance = 1 + max(2, len(e.Name)/3)
	}
	for _, name := range e.Installed {
		if d := levenshtein.Distance(e.Name, name, nil); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// A NoModelError says that no model plugin answers for an architecture.
type NoModelError struct {
	Architecture string
	Installed    []string // model plugins
	Broken       error    // of plugins that do not say what they are; may be nil
}

// Error names the architecture and the plugins that were asked.
func (e *NoModelError) Error() string {
	text := fmt.Sprintf("no model plugin answers for %s", e.Architecture)
	if len(e.Installed) > 0 {
		text += " (asked: " + strings.Join(e.Installed, ", ") + ")"
	}
	if e.Broken != nil {
		text += "; " + e.Broken.Error()
	}
	return text
}

// Unwrap is what is wrong with plugins that could not be asked.
func (e *NoModelError) Unwrap() error { return e.Broken }
