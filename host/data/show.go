package data

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer"
)

// A View writes documents for people to read: their text as the model sees it,
// with what is learned of it marked.
type View struct {
	Tokenizer *tokenizer.Tokenizer
	// Color marks by colour, with the codes of ANSI terminals; without it,
	// what is learned stands in ⟦ ⟧.
	Color bool
	// Tokens adds a list of the tokens with their ids.
	Tokens bool
	// MaxTokens ends a document's text and list after so many tokens; 0: never.
	MaxTokens int
}

// The codes that start and end colours.
const (
	colorLearned = "\x1b[32m"
	colorGiven   = "\x1b[2m"
	colorTitle   = "\x1b[1m"
	colorEnd     = "\x1b[0m"
)

// Legend is what the marks mean, in a line.
func (v *View) Legend() string {
	if v.Color {
		return colorLearned + "what is learned" + colorEnd + colorGiven + " · what it is learned from" + colorEnd
	}
	return "⟦what is learned⟧ · what it is learned from"
}

// Write writes a document: a line with its place and its counts, its text, and
// the list of its tokens if that is wanted. Control characters are escaped.
func (v *View) Write(w io.Writer, doc *Document) error {
	out := bufio.NewWriter(w)
	n := len(doc.IDs)
	title := fmt.Sprintf("%s · %s, %d learned", doc.Where, count(n, "token"), doc.SupervisedTokens())
	fmt.Fprintln(out, v.paint(colorTitle, title))
	shown := n
	if v.MaxTokens > 0 {
		shown = min(n, v.MaxTokens)
	}
	if err := v.writeText(out, doc, shown); err != nil {
		return err
	}
	if shown < n {
		fmt.Fprintf(out, "… and %d more tokens\n", n-shown)
	}
	if v.Tokens {
		if err := v.writeTokens(out, doc, shown); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (v *View) paint(color, text string) string {
	if !v.Color {
		return text
	}
	return color + text + colorEnd
}

// learned reports whether the prediction of token i is learned.
func (d *Document) learned(i int) bool { return d.Supervised[i] && i > 0 }

// writeText writes the text of the first shown tokens, run by run.
func (v *View) writeText(w io.Writer, doc *Document, shown int) error {
	var text strings.Builder
	for at := 0; at < shown; {
		end := at + 1
		for end < shown && doc.learned(end) == doc.learned(at) {
			end++
		}
		run, err := v.Tokenizer.Decode(doc.IDs[at:end], false)
		if err != nil {
			return fmt.Errorf("%s: %w", doc.Where, err)
		}
		text.WriteString(v.mark(escapeControl(run), doc.learned(at)))
		at = end
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprintf(w, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
	return nil
}

// mark marks a run of text. A colour ends with its line and begins again in the
// next, so that it does not run into what a pager shows beside.
func (v *View) mark(run string, learned bool) string {
	if !v.Color {
		if learned {
			return "⟦" + run + "⟧"
		}
		return run
	}
	color := colorGiven
	if learned {
		color = colorLearned
	}
	lines := strings.Split(run, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = color + line + colorEnd
		}
	}
	return strings.Join(lines, "\n")
}

// writeTokens lists the first shown tokens: number, a + where it is learned, id,
// text.
func (v *View) writeTokens(w io.Writer, doc *Document, shown int) error {
	for i := range shown {
		text, err := v.Tokenizer.Decode(doc.IDs[i:i+1], false)
		if err != nil {
			return fmt.Errorf("%s: %w", doc.Where, err)
		}
		if strings.ContainsRune(text, utf8.RuneError) { // a part of a character
			text, _ = v.Tokenizer.TokenText(doc.IDs[i])
		}
		mark, color := " ", colorGiven
		if doc.learned(i) {
			mark, color = "+", colorLearned
		}
		fmt.Fprintln(w, v.paint(color, fmt.Sprintf("  %6d %s %7d  %q", i, mark, doc.IDs[i], text)))
	}
	return nil
}

// escapeControl makes control characters visible, but for newlines and tabs: a
// user's text must not steer the terminal that shows it.
func escapeControl(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			out.WriteRune(r)
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			fmt.Fprintf(&out, "\\u%04x", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
