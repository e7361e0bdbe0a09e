package data

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTo writes the report for people to read. Each kind of problem stands with
// its number and the first places.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	counter := &countingWriter{to: w}
	out := bufio.NewWriter(counter)
	for _, f := range r.Files {
		fmt.Fprintf(out, "%s: %s, %d bytes\n", f.Path, count(f.Rows, "row"), f.Bytes)
	}
	fmt.Fprintf(out, "%s (%s) → %s, %d tokens, %d learned\n",
		count(r.Rows, "row"), r.shapesText(), count(r.Documents, "document"), r.Tokens, r.Supervised)
	if r.Overlong.Count > 0 {
		fmt.Fprintf(out, "%s of more tokens than allowed, the longest of %d\n", count(r.Overlong.Count, "row"), r.Longest)
		writePlaces(out, &r.Overlong)
	}
	if r.Pieces > 0 {
		fmt.Fprintf(out, "%s of split rows left out: nothing in them is learned\n", count(r.Pieces, "piece"))
	}
	for _, t := range r.Problems {
		fmt.Fprintf(out, "%s left out: %s\n", count(t.Count, "row"), t.Kind)
		writePlaces(out, t)
	}
	for _, key := range r.unusedKeys() {
		fmt.Fprintf(out, "key %q is not used: %s\n", key, count(r.Unused[key], "row"))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	err := out.Flush()
	return counter.bytes, err
}

func writePlaces(w io.Writer, t *Tally) {
	for _, p := range t.First {
		fmt.Fprintf(w, "  %s\n", p.line())
	}
	if more := t.Count - len(t.First); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// shapesText are the shapes with their numbers, the most frequent first.
func (r *Report) shapesText() string {
	var names []Shape
	for shape := range r.Shapes {
		names = append(names, shape)
	}
	slices.SortFunc(names, func(a, b Shape) int {
		return cmp.Or(r.Shapes[b]-r.Shapes[a], strings.Compare(string(a), string(b)))
	})
	var out []string
	for _, shape := range names {
		text := string(shape)
		if len(names) > 1 {
			text = fmt.Sprintf("%d %s", r.Shapes[shape], shape)
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "none could be read"
	}
	return strings.Join(out, ", ")
}

// unusedKeys are the keys in Unused by descending number of rows.
func (r *Report) unusedKeys() []string {
	var keys []string
	for key := range r.Unused {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(r.Unused[b]-r.Unused[a], strings.Compare(a, b))
	})
	return keys
}

// A countingWriter counts the bytes written.
type countingWriter struct {
	to    io.Writer
	bytes int64
}

// Write writes to the writer behind.
func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.bytes += int64(n)
	return n, err
}

var (
	_ io.WriterTo = (*Report)(nil)
	_ io.Writer   = (*countingWriter)(nil)
)
