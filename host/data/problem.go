package data

import (
	"fmt"
	"strings"
)

// A Kind is a kind of [Problem].
type Kind string

// The kinds of problems.
const (
	// Broken: the row could not be read: no JSON, not UTF-8, too long a line.
	Broken Kind = "broken"
	// UnknownShape: the row's keys are none that mean something together.
	UnknownShape Kind = "unknown shape"
	// WrongType: a key's value is of the wrong type, or means nothing.
	WrongType Kind = "wrong type"
	// Empty: there is no text in the row, or nothing to learn in it.
	Empty Kind = "empty"
	// Unrendered: the chat template refused the messages.
	Unrendered Kind = "not rendered"
	// Masked: no token of the document is learned.
	Masked Kind = "nothing learned"
	// UnknownID: the tokenizer gave an id that the model has no embedding for.
	UnknownID Kind = "unknown id"
	// TooLong: the document has more tokens than allowed and is to be refused.
	TooLong Kind = "too long"
)

// A Problem is a row that could not be used.
type Problem struct {
	Where   string // chats.jsonl:12
	Kind    Kind
	Message string // lower-case: what is wrong with it
	Hint    string // what to do; may be empty
}

// String is the place and the message.
func (p *Problem) String() string { return p.Where + ": " + p.Message }

// problem is one that has no place yet.
func problem(kind Kind, format string, args ...any) *Problem {
	return &Problem{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func (p *Problem) withHint(hint string) *Problem {
	p.Hint = hint
	return p
}

// kept is how many places of a kind a report names.
const kept = 10

// A Tally counts occurrences of one kind and keeps the first.
type Tally struct {
	Kind  Kind
	Count int
	First []*Problem // the first 10
}

func (t *Tally) add(p *Problem) {
	t.Count++
	if len(t.First) < kept {
		t.First = append(t.First, p)
	}
}

// A Report says what became of a data set's rows.
type Report struct {
	Files      []FileReport
	Rows       int
	Documents  int
	Tokens     int64
	Supervised int64 // tokens whose prediction is learned
	// Longest is the number of tokens of the longest row, before anything is
	// cut off.
	Longest int
	Shapes  map[Shape]int // rows by their shape
	// Problems are the rows left out, by kind.
	Problems []*Tally
	// Overlong are the rows of more than the allowed tokens, whatever became
	// of them.
	Overlong Tally
	// Pieces is the number of pieces of split rows that are left out, for
	// nothing in them is learned.
	Pieces int
	// Unused are keys of rows that mean nothing to hone, and how many rows have
	// them.
	Unused map[string]int
	// Notes are remarks on what may be a mistake, one sentence each.
	Notes []string
}

// A FileReport is what was read of one file.
type FileReport struct {
	Path   string
	Bytes  int64  // as it lies on the disk
	SHA256 string // of these bytes
	Rows   int
}

func newReport() *Report {
	return &Report{Shapes: map[Shape]int{}, Unused: map[string]int{}, Overlong: Tally{Kind: TooLong}}
}

// maxUnused bounds the keys counted by name, which the user's files make up.
const maxUnused = 100

func (r *Report) countUnused(key string) {
	if _, ok := r.Unused[key]; ok || len(r.Unused) < maxUnused {
		r.Unused[key]++
	}
}

// Failed is the number of rows that could not be used.
func (r *Report) Failed() int {
	n := 0
	for _, t := range r.Problems {
		n += t.Count
	}
	return n
}

func (r *Report) paths() []string {
	var out []string
	for _, f := range r.Files {
		out = append(out, f.Path)
	}
	return out
}

// tally is the tally of a kind.
func (r *Report) tally(kind Kind) *Tally {
	for _, t := range r.Problems {
		if t.Kind == kind {
			return t
		}
	}
	t := &Tally{Kind: kind}
	r.Problems = append(r.Problems, t)
	return t
}

// A ProblemsError says that a data set has rows that cannot be used, and that
// they are not to be left out.
type ProblemsError struct {
	First []*Problem // the first 10, in the order of the files
	Count int
	// Cut: reading ended before the last row; there may be more.
	Cut bool
}

func (e *ProblemsError) add(p *Problem) {
	e.Count++
	if len(e.First) < kept {
		e.First = append(e.First, p)
	}
}

// Error names the first problems, one a line.
func (e *ProblemsError) Error() string {
	if e.Count == 1 {
		return e.First[0].line()
	}
	var out strings.Builder
	if e.Cut {
		out.WriteString("at least ")
	}
	fmt.Fprintf(&out, "%d rows cannot be used:", e.Count)
	for _, p := range e.First {
		out.WriteString("\n  " + p.line())
	}
	if more := e.Count - len(e.First); more > 0 {
		fmt.Fprintf(&out, "\n  and %d more", more)
	}
	return out.String()
}

// line is the problem with its hint.
func (p *Problem) line() string {
	if p.Hint == "" {
		return p.String()
	}
	return p.String() + " (" + p.Hint + ")"
}

var (
	_ fmt.Stringer = (*Problem)(nil)
	_ error        = (*ProblemsError)(nil)
)
