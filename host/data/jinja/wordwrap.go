package jinja

import (
	"strings"
	"unicode"
)

// A wrapper breaks a line into lines of at most width characters, by the rules of
// Python's textwrap: between words, after hyphens inside words, around dashes, and
// inside words that are longer than a line.
type wrapper struct {
	width     int
	breakLong bool
	hyphens   bool
}

// isWrapSpace is white space to the wrapper: ASCII's.
func isWrapSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// wrap is the lines of a line.
func (w *wrapper) wrap(line string) []string {
	chunks := w.chunks([]rune(line))
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && isBlankChunk(chunks[0]) {
			chunks = chunks[1:]
		}
		var current [][]rune
		length := 0
		for len(chunks) > 0 && length+len(chunks[0]) <= w.width {
			current = append(current, chunks[0])
			length += len(chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && len(chunks[0]) > w.width {
			current, chunks = w.breakWord(current, chunks, w.width-length)
		}
		if n := len(current); n > 0 && isBlankChunk(current[n-1]) {
			current = current[:n-1]
		}
		if len(current) > 0 {
			var out strings.Builder
			for _, chunk := range current {
				out.WriteString(string(chunk))
			}
			lines = append(lines, out.String())
		}
	}
	return lines
}

func isBlankChunk(chunk []rune) bool {
	for _, r := range chunk {
		if !isSpace(r) {
			return false
		}
	}
	return true
}

// breakWord puts the start of a word that is longer than a line into what is left
// of the current one.
func (w *wrapper) breakWord(current, chunks [][]rune, left int) (line, rest [][]rune) {
	if !w.breakLong {
		if len(current) == 0 {
			return append(current, chunks[0]), chunks[1:]
		}
		return current, chunks
	}
	word := chunks[0]
	end := left
	if w.hyphens {
		if at := lastHyphen(word[:left]); at > 0 {
			end = at + 1
		}
	}
	rest = append([][]rune{word[end:]}, chunks[1:]...)
	return append(current, word[:end]), rest
}

// lastHyphen is the last hyphen with something else before it, or -1.
func lastHyphen(word []rune) int {
	for at := len(word) - 1; at > 0; at-- {
		if word[at] == '-' {
			if strings.Trim(string(word[:at]), "-") == "" {
				return -1
			}
			return at
		}
	}
	return -1
}

// chunks are the pieces that a line can be broken between.
func (w *wrapper) chunks(line []rune) [][]rune {
	var out [][]rune
	for start := 0; start < len(line); {
		end := start
		switch {
		case isWrapSpace(line[start]):
			for end < len(line) && isWrapSpace(line[end]) {
				end++
			}
		case w.hyphens && dashAt(line, start) > 0:
			end = start + dashAt(line, start)
		default:
			end = w.wordEnd(line, start)
		}
		out = append(out, line[start:end])
		start = end
	}
	return out
}

// dashAt is the length of a dash (two hyphens or more) between words at i, or 0.
func dashAt(line []rune, i int) int {
	if i == 0 || !isWord(line[i-1]) && !strings.ContainsRune(`!"'&.,?`, line[i-1]) {
		return 0
	}
	end := i
	for end < len(line) && line[end] == '-' {
		end++
	}
	if end-i >= 2 && end < len(line) && isWord(line[end]) {
		return end - i
	}
	return 0
}

func isWordLetter(r rune) bool { return isWord(r) && !unicode.IsDigit(r) }

// wordEnd is where the word at start ends, or can be broken: before white space,
// before a dash, after a hyphen between letters.
func (w *wrapper) wordEnd(line []rune, start int) int {
	for end := start + 1; end < len(line); end++ {
		if w.hyphens {
			if line[end] == '-' && hyphenates(line, end) {
				return end + 1
			}
			if dashAt(line, end) > 0 {
				return end
			}
		}
		if isWrapSpace(line[end]) {
			return end
		}
	}
	return len(line)
}

// hyphenates reports whether the hyphen at i stands between parts of a word.
func hyphenates(line []rune, i int) bool {
	letter := func(j int) bool { return j >= 0 && j < len(line) && isWordLetter(line[j]) }
	before := letter(i-1) && (letter(i-2) || i >= 2 && line[i-2] == '-' && letter(i-3))
	after := letter(i+1) && (letter(i+2) || i+2 < len(line) && line[i+2] == '-' && letter(i+3))
	return before && after
}
