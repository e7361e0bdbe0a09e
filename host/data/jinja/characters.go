package jinja

import (
	"strings"
	"unicode/utf8"
)

// isSpace is Python's str.isspace for a character: Unicode white space and the
// four separators among the control characters.
func isSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= ' ', r == 0x85, r == 0xa0, r == 0x1680:
		return true
	case r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

// isLineBreak is whether splitlines ends a line at r.
func isLineBreak(r rune) bool {
	switch r {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// isASCII reports whether every character takes one byte.
func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// byteOffset is where character n of s begins; len(s) when there are fewer.
func byteOffset(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// substring is characters start to stop of s.
func substring(s string, start, stop int) string {
	from := byteOffset(s, start)
	return s[from : from+byteOffset(s[from:], stop-start)]
}

// splitFields splits at runs of white space, at most limit times if limit is not
// negative; the rest keeps its white space, that at the end too.
func splitFields(s string, limit int) []string {
	out := []string{}
	for {
		s = strings.TrimLeftFunc(s, isSpace)
		if s == "" {
			return out
		}
		end := strings.IndexFunc(s, isSpace)
		if limit == len(out) {
			return append(out, s)
		}
		if end < 0 {
			return append(out, s)
		}
		out = append(out, s[:end])
		s = s[end:]
	}
}

// splitFieldsRight is splitFields from the right.
func splitFieldsRight(s string, limit int) []string {
	reversed := []string{}
	for {
		s = strings.TrimRightFunc(s, isSpace)
		if s == "" {
			break
		}
		if limit == len(reversed) {
			reversed = append(reversed, s)
			break
		}
		start := strings.LastIndexFunc(s, isSpace)
		if start < 0 {
			reversed = append(reversed, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[start:])
		reversed = append(reversed, s[start+n:])
		s = s[:start]
	}
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return reversed
}

// splitRight splits at a separator from the right, at most limit times if limit is
// not negative.
func splitRight(s, separator string, limit int) []string {
	reversed := []string{}
	for limit < 0 || len(reversed) < limit {
		i := strings.LastIndex(s, separator)
		if i < 0 {
			break
		}
		reversed = append(reversed, s[i+len(separator):])
		s = s[:i]
	}
	reversed = append(reversed, s)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	return reversed
}

// splitLines splits at line breaks, which stay with keep.
func splitLines(s string, keep bool) []string {
	out := []string{}
	for s != "" {
		end := strings.IndexFunc(s, isLineBreak)
		if end < 0 {
			return append(out, s)
		}
		_, n := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			n = 2
		}
		if keep {
			out = append(out, s[:end+n])
		} else {
			out = append(out, s[:end])
		}
		s = s[end+n:]
	}
	return out
}
