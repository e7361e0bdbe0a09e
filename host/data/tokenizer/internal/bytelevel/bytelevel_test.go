package bytelevel

import "testing"

func TestAlphabet(t *testing.T) {
	seen := map[rune]bool{}
	for b := range 256 {
		char := Char(byte(b))
		if seen[char] {
			t.Errorf("%q stands for two bytes", char)
		}
		seen[char] = true
		if got, ok := Byte(char); !ok || got != byte(b) {
			t.Errorf("Byte(Char(%#x)) = %#x, %v", b, got, ok)
		}
	}
	for _, test := range []struct {
		b    byte
		want rune
	}{{' ', 'Ġ'}, {'\n', 'Ċ'}, {'\t', 'ĉ'}, {0, 'Ā'}, {0x7F, 'ġ'}, {0xA0, 'ł'}, {0xAD, 'Ń'}, {'a', 'a'}, {0xFF, 'ÿ'}} {
		if got := Char(test.b); got != test.want {
			t.Errorf("Char(%#x) = %q, want %q", test.b, got, test.want)
		}
	}
	for _, r := range []rune{-1, ' ', 0xAD, 0x144, 0x10FFFF} {
		if b, ok := Byte(r); ok {
			t.Errorf("Byte(%#x) = %#x, want none", r, b)
		}
	}
}

func TestStrings(t *testing.T) {
	const text = "é \n\x00€"
	chars := AppendChars([]byte("x"), text)
	if got, want := string(chars), "xÃ©ĠĊĀâĤ¬"; got != want {
		t.Errorf("AppendChars gives %q, want %q", got, want)
	}
	back, ok := AppendBytes(nil, string(chars[1:]))
	if !ok || string(back) != text {
		t.Errorf("AppendBytes gives %q, %v", back, ok)
	}
	if out, ok := AppendBytes([]byte("x"), "a b"); ok || string(out) != "x" {
		t.Errorf("AppendBytes of a space gives %q, %v", out, ok)
	}
}
