package config

import (
	"fmt"
	"strings"
)

// A Diagnostic is one thing that a plugin finds wrong, or worth a warning, in
// its configuration. The host shows it at the line that Path leads to.
type Diagnostic struct {
	Warning bool     `json:"warning,omitempty"` // false: an error
	Path    []string `json:"path,omitempty"`    // attribute name, then keys and decimal indices; empty: the block itself
	Summary string   `json:"summary"`           // one lower-case line: what is wrong
	Detail  string   `json:"detail,omitempty"`  // what to do about it
}

// Diagnostics are an error with one or more diagnostics. Nil means that there is
// nothing to say.
type Diagnostics []Diagnostic //nolint:errname // as HCL's are called, and they may be warnings alone

// Error is the summaries of all diagnostics, with their paths.
func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i, one := range d {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// String is the diagnostic as a line of text.
func (d Diagnostic) String() string {
	var b strings.Builder
	if len(d.Path) > 0 {
		fmt.Fprintf(&b, "%s: ", strings.Join(d.Path, "."))
	}
	b.WriteString(d.Summary)
	if d.Detail != "" {
		fmt.Fprintf(&b, " (%s)", d.Detail)
	}
	return b.String()
}

// HasErrors reports whether any of the diagnostics is an error.
func (d Diagnostics) HasErrors() bool {
	for _, one := range d {
		if !one.Warning {
			return true
		}
	}
	return false
}

// Err is d as an error: nil where no diagnostic is an error.
func (d Diagnostics) Err() error {
	if d.HasErrors() {
		return d
	}
	return nil
}

// Errorf is an error diagnostic for the attribute at path.
func Errorf(path []string, format string, args ...any) Diagnostics {
	return Diagnostics{{Path: path, Summary: fmt.Sprintf(format, args...)}}
}
