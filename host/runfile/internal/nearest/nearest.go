// Package nearest finds the name that someone who mistyped probably meant.
package nearest

import (
	"fmt"
	"strings"
)

// Name is the one of known that is most like given, or "" where none is like it:
// a third of its letters may be wrong, and a swap of two neighbours counts once.
func Name(given string, known []string) string {
	best, least := "", max(1, len(given)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(given), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// Hint is " Did you mean …?", or "" where nothing is near.
func Hint(given string, known []string) string {
	if n := Name(given, known); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}

// List is names as a sentence has them: "a", "b" and "c".
func List(names []string, conjunction string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " " + conjunction + " " + quoted[last]
}

// maxLength bounds the work; names beyond it are like nothing.
const maxLength = 64

// distance is the optimal string alignment distance (Damerau, 1964), in bytes.
func distance(a, b string) int {
	if len(a) > maxLength || len(b) > maxLength {
		return maxLength
	}
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}
