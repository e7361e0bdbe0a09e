// Package bytelevel is the alphabet of byte-level tokenizers: a printable
// character for each of the 256 bytes, so that any text is a string of known
// characters and any token can be written in a file (Radford et al. 2019,
// "Language Models are Unsupervised Multitask Learners").
//
// The bytes that Latin-1 prints stand for themselves; the 68 others (controls,
// space, soft hyphen) are U+0100 to U+0143 in order: space is Ġ, line feed Ċ.
package bytelevel

import "unicode/utf8"

// first is the character of the lowest byte that does not stand for itself.
const first = 0x100

// table holds the character of each byte.
var table = newTable()

func newTable() (chars [256]rune) {
	next := rune(first)
	for b := range chars {
		switch {
		case '!' <= b && b <= '~', 0xA1 <= b && b <= 0xAC, 0xAE <= b:
			chars[b] = rune(b)
		default:
			chars[b] = next
			next++
		}
	}
	return chars
}

// inverse holds 1 + the byte of each character below first + 68.
var inverse = newInverse()

func newInverse() (bytes [first + 68]uint16) {
	for b, char := range table {
		bytes[char] = uint16(b) + 1
	}
	return bytes
}

// Char returns the character of b.
func Char(b byte) rune { return table[b] }

// Byte returns the byte that r stands for; ok is false if r is not of the
// alphabet.
func Byte(r rune) (b byte, ok bool) {
	if r < 0 || int(r) >= len(inverse) || inverse[r] == 0 {
		return 0, false
	}
	return byte(inverse[r] - 1), true
}

// AppendChars appends the characters of the bytes of s.
func AppendChars(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = utf8.AppendRune(dst, table[s[i]])
	}
	return dst
}

// AppendBytes appends the bytes that the characters of s stand for; ok is
// false, and dst is returned as it was, if one is not of the alphabet.
func AppendBytes(dst []byte, s string) (out []byte, ok bool) {
	out = dst
	for _, r := range s {
		b, ok := Byte(r)
		if !ok {
			return dst, false
		}
		out = append(out, b)
	}
	return out, true
}
