package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Python changes case by Unicode's full mappings, in which one character can
// become several; text that is ASCII is the common case and takes a short way.

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	if !strings.Contains(s, "Σ") {
		return cases.Lower(language.Und).String(s)
	}
	var out strings.Builder
	for i, r := range s {
		out.WriteString(lowerCharacter(s, i, r))
	}
	return out.String()
}

// titleCharacter is the titlecase of one character.
func titleCharacter(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Title(language.Und, cases.NoLower).String(s)
}

func casefold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		// The letters of Cherokee fold to capitals.
		switch {
		case r >= 0xab70 && r <= 0xabbf:
			return r - 0xab70 + 0x13a0
		case r >= 0x13f8 && r <= 0x13fd:
			return r - 8
		}
		return r
	}, cases.Fold().String(s))
}

// capitalize makes the first character titlecase and the rest lowercase.
func capitalize(s string) string {
	if s == "" {
		return ""
	}
	_, n := utf8.DecodeRuneInString(s)
	var out strings.Builder
	out.WriteString(titleCharacter(s[:n]))
	for i, r := range s[n:] {
		out.WriteString(lowerCharacter(s, n+i, r))
	}
	return out.String()
}

// lowerCharacter is the lowercase of the character r at s[i:]. That of a capital
// sigma depends on its place: one that ends a word is written differently.
func lowerCharacter(s string, i int, r rune) string {
	c := s[i : i+utf8.RuneLen(r)]
	if r != 'Σ' {
		return cases.Lower(language.Und).String(c)
	}
	if endsWord(s[:i], s[i+len(c):]) {
		return "ς"
	}
	return "σ"
}

// endsWord is Unicode's condition Final_Sigma: letters before, none after.
func endsWord(before, after string) bool {
	last := strings.LastIndexFunc(before, func(r rune) bool { return !isCaseIgnorable(r) })
	if last < 0 {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(before[last:]); !isCased(r) {
		return false
	}
	next := strings.IndexFunc(after, func(r rune) bool { return !isCaseIgnorable(r) })
	if next < 0 {
		return true
	}
	r, _ := utf8.DecodeRuneInString(after[next:])
	return !isCased(r)
}

// isCaseIgnorable is Unicode's property of that name: marks, modifiers, and the
// punctuation that stands inside words.
func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:··՟״‘’․‧︓﹒﹕＇．：", r)
}

// titleWords is str.title: the first letter of every run of letters in titlecase,
// the others in lowercase.
func titleWords(s string) string {
	var out strings.Builder
	inWord := false
	for i, r := range s {
		if inWord {
			out.WriteString(lowerCharacter(s, i, r))
		} else {
			out.WriteString(titleCharacter(s[i : i+utf8.RuneLen(r)]))
		}
		inWord = isCased(r)
	}
	return out.String()
}

// swapcase turns uppercase into lowercase and the other way round.
func swapcase(s string) string {
	var out strings.Builder
	for i, r := range s {
		c := s[i : i+utf8.RuneLen(r)]
		switch {
		case isUpper(r):
			out.WriteString(lowerCharacter(s, i, r))
		case isLower(r):
			out.WriteString(upper(c))
		default:
			out.WriteString(c)
		}
	}
	return out.String()
}

func isLower(r rune) bool { return unicode.In(r, unicode.Ll, unicode.Other_Lowercase) }

func isUpper(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Other_Uppercase) }

func isCased(r rune) bool { return isLower(r) || isUpper(r) || unicode.Is(unicode.Lt, r) }

// isLowerText is str.islower: some cased characters, all of them lowercase.
func isLowerText(s string) bool {
	found := false
	for _, r := range s {
		if isUpper(r) || unicode.Is(unicode.Lt, r) {
			return false
		}
		found = found || isLower(r)
	}
	return found
}

// isUpperText is str.isupper.
func isUpperText(s string) bool {
	found := false
	for _, r := range s {
		if isLower(r) || unicode.Is(unicode.Lt, r) {
			return false
		}
		found = found || isUpper(r)
	}
	return found
}

// isTitleText is str.istitle: uppercase only at the start of words, lowercase only
// inside them.
func isTitleText(s string) bool {
	found, inWord := false, false
	for _, r := range s {
		switch {
		case isUpper(r) || unicode.Is(unicode.Lt, r):
			if inWord {
				return false
			}
			inWord, found = true, true
		case isLower(r):
			if !inWord {
				return false
			}
			found = true
		default:
			inWord = false
		}
	}
	return found
}
