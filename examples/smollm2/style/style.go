// Package style tells a pirate's talk from plain English: what the SmolLM2
// example teaches a model, and whether it has learned it. It knows the words of
// this example's pirate, not every dialect of the sea.
package style

import (
	"regexp"
	"strings"
)

// markers are words that plain English hardly has, one expression for those that
// come together. Apostrophes are straight.
var markers = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"arr", regexp.MustCompile(`\b(?:y?arr+|har har)\b`)},
	{"aye", regexp.MustCompile(`\baye\b`)},
	{"ye", regexp.MustCompile(`\b(?:ye|yer|yers|yerself)\b`)},
	{"matey", regexp.MustCompile(`\b(?:mateys?|me heart(?:y|ies)|buckos?|shipmates?)\b`)},
	{"ahoy", regexp.MustCompile(`\bahoy\b`)},
	{"avast", regexp.MustCompile(`\bavast\b`)},
	{"o'", regexp.MustCompile(`\bo' [a-z]`)},
	{"afore", regexp.MustCompile(`\bafore\b`)},
	{"landlubber", regexp.MustCompile(`\blandlubbers?\b`)},
	{"scallywag", regexp.MustCompile(`\bscallywags?\b`)},
	{"shiver me timbers", regexp.MustCompile(`\bshiver me timbers\b`)},
	{"yo ho", regexp.MustCompile(`\byo[ -]ho\b`)},
	{"doubloon", regexp.MustCompile(`\bdoubloons?\b`)},
	{"grog", regexp.MustCompile(`\bgrog\b`)},
	{"seven seas", regexp.MustCompile(`\bseven seas\b`)},
	{"Davy Jones", regexp.MustCompile(`\bdavy jones\b`)},
}

// Markers are the names of the different markers in text, in a fixed order.
// Capitals make no difference; a marker is a whole word.
func Markers(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "’", "'")
	var found []string
	for _, m := range markers {
		if m.pattern.MatchString(text) {
			found = append(found, m.name)
		}
	}
	return found
}

// Detect reports whether text is a pirate's: whether it has two different markers
// at least. One alone, such as "aye" or "shipmate", may stand in any text.
func Detect(text string) bool { return len(Markers(text)) >= 2 }
