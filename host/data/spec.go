package data

import (
	"fmt"
	"slices"
	"strings"
)

// A Spec says which files make a data set, and how.
type Spec struct {
	// Sources follow each other in the data set.
	Sources []Source
	// MaxLength is the most tokens that a document may have.
	MaxLength int
	// Workers is how many rows are tokenised at once; 0: one for each CPU. The
	// result does not depend on it.
	Workers int
}

// A Source is one data block of a run: files, and what becomes of their rows.
// The zero values of its settings are the defaults.
type Source struct {
	Files  []string // read in this order
	Format Format
	Loss   Loss
	// AppendEOS says which documents get the end-of-sequence token.
	AppendEOS AppendEOS
	Overlong  Overlong
	OnError   OnError
	// Template renders this source's chats; nil for the encoder's.
	Template Template
}

// A Format is how rows stand in a file.
type Format string

// The formats.
const (
	// FormatAuto goes by the file's name, and for JSON by its first character.
	FormatAuto Format = "auto"
	// FormatJSONLines is one JSON object a line.
	FormatJSONLines Format = "jsonl"
	// FormatJSON is one array of objects.
	FormatJSON Format = "json"
	// FormatText is one document a line; blank lines count for nothing.
	FormatText Format = "text"
)

// A Loss says which tokens are learned.
type Loss string

// What can be learned.
const (
	// LossAuto is LossCompletion for prompt and completion, LossAssistant for
	// messages, LossAll for text.
	LossAuto Loss = "auto"
	// LossAll is every token but a document's first.
	LossAll Loss = "all"
	// LossCompletion is what follows the prompt; of messages, the last turn of
	// the assistant.
	LossCompletion Loss = "completion"
	// LossAssistant is every turn of the assistant.
	LossAssistant Loss = "assistant"
)

// AppendEOS says whether documents get the end-of-sequence token.
type AppendEOS string

// When it is appended. It never is where it already ends the document.
const (
	// AppendAuto is text, and prompt and completion that are strings; a chat's
	// template ends its turns itself.
	AppendAuto AppendEOS = "auto"
	// AppendAlways is chats too.
	AppendAlways AppendEOS = "always"
	AppendNever  AppendEOS = "never"
)

// Overlong says what becomes of a document of more than [Spec.MaxLength] tokens.
// It is counted in any case.
type Overlong string

// What becomes of it.
const (
	// OverlongTruncate keeps its beginning.
	OverlongTruncate Overlong = "truncate"
	// OverlongSplit makes several documents of it, each but the last of
	// MaxLength tokens. Pieces in which nothing is learned are left out.
	OverlongSplit Overlong = "split"
	// OverlongSkip leaves it out.
	OverlongSkip Overlong = "skip"
	// OverlongStop is an error, whatever OnError says.
	OverlongStop Overlong = "stop"
)

// OnError says what becomes of rows that cannot be used.
type OnError string

// What becomes of them.
const (
	// ErrorStop makes no data set of files with such rows.
	ErrorStop OnError = "stop"
	// ErrorSkip leaves them out and counts them.
	ErrorSkip OnError = "skip"
)

// check fills in defaults and refuses values that are none.
func (s *Source) check() error {
	if len(s.Files) == 0 {
		return fmt.Errorf("a source without files")
	}
	for _, err := range []error{
		choose("format", &s.Format, FormatAuto, FormatJSONLines, FormatJSON, FormatText),
		choose("loss", &s.Loss, LossAuto, LossAll, LossCompletion, LossAssistant),
		choose("append_eos", &s.AppendEOS, AppendAuto, AppendAlways, AppendNever),
		choose("overlong", &s.Overlong, OverlongTruncate, OverlongSplit, OverlongSkip, OverlongStop),
		choose("on_error", &s.OnError, ErrorStop, ErrorSkip),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// choose sets an empty value to the first choice, the default.
func choose[T ~string](name string, value *T, choices ...T) error {
	if *value == "" {
		*value = choices[0]
	}
	if slices.Contains(choices, *value) {
		return nil
	}
	var known []string
	for _, c := range choices {
		known = append(known, string(c))
	}
	return fmt.Errorf("%s %q: choose one of %s", name, *value, strings.Join(known, ", "))
}
