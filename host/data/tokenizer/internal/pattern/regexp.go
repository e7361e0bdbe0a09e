package pattern

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// Limits of one search. A sane pattern runs at a megabyte a second or more, so
// only one that backtracks without end comes near them.
const (
	searchTime    = 5 * time.Second        // to the next match
	textTime      = 10 * time.Second       // of a text, and
	timePerRune   = 100 * time.Microsecond // for each character of it
	backtrackSize = 1 << 24                // entries of the backtracking stack
)

// expression is a pattern run by regexp2.
type expression struct {
	source string
	re     *regexp2.Regexp
}

func compile(expr string) (Pattern, error) {
	translated, err := translate(expr)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", shorten(expr), err)
	}
	re, err := regexp2.Compile(translated, regexp2.OptionMaxBacktrackingStackSize(backtrackSize))
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", shorten(expr), err)
	}
	re.MatchTimeout = searchTime
	return &expression{source: expr, re: re}, nil
}

func shorten(expr string) string {
	const most = 200
	if len(expr) <= most {
		return expr
	}
	cut := most
	for !utf8.RuneStart(expr[cut]) {
		cut--
	}
	return expr[:cut] + "…"
}

// Matches implements [Pattern].
func (e *expression) Matches(dst []Match, text string) ([]Match, error) {
	runes := []rune(text)
	deadline := time.Now().Add(textTime + time.Duration(len(runes))*timePerRune)
	at, offset := 0, 0 // the rune and byte offset reached
	byteOffset := func(to int) int {
		for ; at < to; at++ {
			offset += utf8.RuneLen(runes[at])
		}
		return offset
	}
	last := -1 // the end of the match before
	late := false
	err := e.re.FindRunesMatches(runes, 0, func(m regexp2.MatchView) bool {
		index, length, _ := m.GroupRange(0)
		match := Match{Start: byteOffset(index)}
		match.End = byteOffset(index + length)
		// An empty match right behind another does not count.
		if length > 0 || match.End != last {
			dst = append(dst, match)
			last = match.End
		}
		late = len(dst)&0xFF == 0 && time.Now().After(deadline)
		return !late
	})
	if err == nil && late {
		err = fmt.Errorf("no end after %v", textTime)
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q on a text of %d characters: %w", shorten(e.source), len(runes), err)
	}
	return dst, nil
}

var _ Pattern = (*expression)(nil)
