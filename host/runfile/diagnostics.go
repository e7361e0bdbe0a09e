package runfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics are what is wrong with a run file, or worth a warning, and the
// sources to show it in.
type Diagnostics struct {
	List  hcl.Diagnostics
	Files map[string]*hcl.File
}

// HasErrors reports whether any of the diagnostics is an error.
func (d Diagnostics) HasErrors() bool { return d.List.HasErrors() }

// Err is the diagnostics as an error of a line each, with file, line and column;
// nil where none of them is an error.
func (d Diagnostics) Err() error {
	if !d.HasErrors() {
		return nil
	}
	var lines []string
	for _, one := range d.List {
		if one.Severity != hcl.DiagError {
			continue
		}
		at := ""
		if one.Subject != nil {
			at = fmt.Sprintf("%s:%d:%d: ", one.Subject.Filename, one.Subject.Start.Line, one.Subject.Start.Column)
		}
		lines = append(lines, at+strings.TrimSuffix(one.Summary+": "+one.Detail, ": "))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Write writes the diagnostics with the source they are about. Texts are wrapped
// at width columns; 0 wraps nothing. colour marks severities for a terminal.
func (d Diagnostics) Write(w io.Writer, width uint, colour bool) error {
	files := make(map[string]*hcl.File, len(d.Files))
	for name, f := range d.Files {
		files[name] = &hcl.File{Bytes: printable(f.Bytes), Nav: f.Nav}
	}
	return hcl.NewDiagnosticTextWriter(w, files, width, colour).WriteDiagnostics(d.List)
}

// printable replaces control characters of a source, which could make a terminal
// do anything; the length stays, because diagnostics count bytes.
func printable(src []byte) []byte {
	out := slices.Clone(src)
	for i, b := range out {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' || b == 0x7f {
			out[i] = '?'
		}
	}
	return out
}

// sort brings diagnostics into the order of the source, the same every time. Those
// without a place come first.
func (d Diagnostics) sort() Diagnostics {
	slices.SortStableFunc(d.List, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		if c := strings.Compare(a.Subject.Filename, b.Subject.Filename); c != 0 {
			return c
		}
		if c := a.Subject.Start.Byte - b.Subject.Start.Byte; c != 0 {
			return c
		}
		return strings.Compare(a.Summary+a.Detail, b.Summary+b.Detail)
	})
	return d
}

// maxDiagnostics is how many are shown of one file: nobody reads more, and each
// shows its source.
const maxDiagnostics = 30

// first keeps the first diagnostics, errors before warnings, and says how many
// there are beside them.
func (d Diagnostics) first(most int) Diagnostics {
	more := len(d.List) - most
	if more <= 0 {
		return d
	}
	slices.SortStableFunc(d.List, func(a, b *hcl.Diagnostic) int { return int(a.Severity) - int(b.Severity) })
	d.List = append(d.List[:most:most], &hcl.Diagnostic{
		Severity: d.List[0].Severity, Summary: fmt.Sprintf("And %d more", more), Detail: "They are shown once some of these are settled.",
	})
	return d
}

// problem is an error at a place.
func problem(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// caution is a warning at a place.
func caution(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &at}
}
