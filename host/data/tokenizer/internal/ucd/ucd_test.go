package ucd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

type formGolden struct {
	CodePoints string      `json:"code points"`
	Texts      string      `json:"texts"`
	Examples   [][2]string `json:"examples"`
}

type golden struct {
	Category                                               map[string]string `json:"category"`
	Space, Word, IsSpace, IsNumeric, IsWord, IsPunctuation string
	NFC, NFD                                               formGolden
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/ucd.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func codePoints(yield func(rune) bool) {
	for r := rune(0); r < 0x110000; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		if !yield(r) {
			return
		}
	}
}

func digest(member func(rune) bool) string {
	bits := make([]byte, 0, 0x110000)
	for r := range codePoints {
		b := byte('0')
		if member(r) {
			b = '1'
		}
		bits = append(bits, b)
	}
	sum := sha256.Sum256(bits)
	return hex.EncodeToString(sum[:])
}

func rangesMember(t *testing.T, name string) func(rune) bool {
	t.Helper()
	ranges, ok := Ranges(name)
	if !ok {
		t.Fatalf("no ranges for %q", name)
	}
	for i := 1; i < len(ranges); i++ {
		if ranges[i].First <= ranges[i-1].Last {
			t.Fatalf("%s: range %d overlaps the one before", name, i)
		}
	}
	return func(r rune) bool {
		for len(ranges) > 0 && ranges[0].Last < r {
			ranges = ranges[1:] // digest asks in order
		}
		return len(ranges) > 0 && ranges[0].First <= r
	}
}

func TestPropertiesOfEveryCodePoint(t *testing.T) {
	g := readGolden(t)
	if len(g.Category) != len(categorySets) {
		t.Errorf("golden has %d categories, the package %d", len(g.Category), len(categorySets))
	}
	table := Shared()
	for name, want := range g.Category {
		set := categorySets[name]
		// The pattern engine gives surrogates to no category; the probe skips them.
		if got := digest(func(r rune) bool { return table.Is(r, set) }); got != want {
			t.Errorf("Table: category %s differs from the library's", name)
		}
		if got := digest(rangesMember(t, name)); got != want {
			t.Errorf("Ranges: category %s differs from the library's", name)
		}
	}
	tests := []struct {
		name   string
		want   string
		member func(rune) bool
	}{
		{"Ranges Space", g.Space, rangesMember(t, "Space")},
		{"Ranges Word", g.Word, rangesMember(t, "Word")},
		{"IsSpace", g.IsSpace, IsSpace},
		{"IsNumeric", g.IsNumeric, IsNumeric},
		{"IsWord", g.IsWord, IsWord},
		{"IsPunctuation", g.IsPunctuation, IsPunctuation},
	}
	for _, test := range tests {
		if digest(test.member) != test.want {
			t.Errorf("%s differs from the library's", test.name)
		}
	}
}

func TestASCII(t *testing.T) {
	table := Shared()
	for b := byte(0); b < utf8.RuneSelf; b++ {
		if got, want := table.ASCII(b), table.Category(rune(b)); got != want {
			t.Errorf("ASCII(%#x) = %d, Category %d", b, got, want)
		}
	}
	for _, r := range []rune{-1, 0x110000, 1 << 30} {
		if got := table.Category(r); got != Cn {
			t.Errorf("Category(%#x) = %d, want Cn", r, got)
		}
	}
}

// normalize applies form and checks that the pieces cover text.
func normalize(t *testing.T, form Form, text string) string {
	t.Helper()
	var out strings.Builder
	at := 0
	changed := form.Normalize(text, func(start, end int, s string) {
		if start != at || end <= start {
			t.Fatalf("%q: piece [%d, %d) after %d", text, start, end, at)
		}
		at = end
		out.WriteString(s)
	})
	if at != len(text) {
		t.Fatalf("%q: pieces end at %d of %d", text, at, len(text))
	}
	if changed != (out.String() != text) {
		t.Fatalf("%q: changed is %v, result %q", text, changed, out.String())
	}
	return out.String()
}

// texts makes the texts of gen_ucd.py.
func texts(yield func(string) bool) {
	pools := [][2]uint64{
		{0x41, 26}, {0xC0, 0x180}, {0x300, 0x70}, {0x1100, 0x100}, {0xAC00, 11172},
		{0x900, 0x80}, {0x9C0, 0x20}, {0xB40, 0x20}, {0x1E00, 0x200}, {0x302A, 6}, {0x3040, 0xC0},
		{0xF900, 0x100}, {0xFB1D, 0x30}, {0x110A0, 0x40}, {0x1D15E, 0x20}, {0x2F800, 0x21E},
		{0x7F0, 0x10}, {0x591, 0x30}, {0x610, 0x60}, {0x1AB0, 0x20}, {0x1DC0, 0x40}, {0x20D0, 0x20},
		{0x20, 1}, {0x11930, 0x10}, {0xE000, 1}, {0xF70, 0x20},
	}
	state := uint64(1)
	next := func() uint64 {
		state = state*6364136223846793005 + 1442695040888963407
		return state
	}
	for range 20000 {
		var text []rune
		for n := 1 + (next()>>40)%9; n > 0; n-- {
			v := next()
			pool := pools[(v>>33)%uint64(len(pools))]
			text = append(text, rune(pool[0]+(v>>45)%pool[1]))
		}
		if !yield(string(text)) {
			return
		}
	}
}

func TestNormalForms(t *testing.T) {
	g := readGolden(t)
	for _, test := range []struct {
		name string
		form Form
		want formGolden
	}{{"NFC", NFC, g.NFC}, {"NFD", NFD, g.NFD}} {
		t.Run(test.name, func(t *testing.T) {
			for _, example := range test.want.Examples {
				if got := normalize(t, test.form, example[0]); got != example[1] {
					t.Errorf("%+q becomes %+q, want %+q", example[0], got, example[1])
				}
			}
			h := sha256.New()
			for r := range codePoints {
				h.Write([]byte(normalize(t, test.form, string(r)) + "\n"))
			}
			if hex.EncodeToString(h.Sum(nil)) != test.want.CodePoints {
				t.Error("single code points differ from the library's")
			}
			h.Reset()
			for text := range texts {
				h.Write([]byte(normalize(t, test.form, text) + "\n"))
			}
			if hex.EncodeToString(h.Sum(nil)) != test.want.Texts {
				t.Error("pseudo-random texts differ from the library's")
			}
		})
	}
}

func TestNormalizeKeepsWhatIsStable(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"ASCII is one piece", "plain text", []string{"plain text"}},
		{"composed stays one piece", "café", []string{"café"}},
		{"only the composing pair is a piece", "cafe\u0301s", []string{"caf", "é", "s"}},
		{"order of marks", "xa\u0301\u0323y", []string{"x", "\u1ea1\u0301", "y"}},
		{"a mark at the start", "\u0301a", []string{"\u0301a"}},
		{"jamo", "\u1112\u1161\u11ab.", []string{"한", "."}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			NFC.Normalize(test.text, func(_, _ int, out string) { got = append(got, out) })
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("got %+q, want %+q", got, test.want)
			}
		})
	}
	NFC.Normalize("", func(int, int, string) { t.Error("a piece of the empty text") })
}

func FuzzNormalize(f *testing.F) {
	f.Add("e\u0301")
	f.Add("\u1112\u1161\u11ab")
	f.Add("a\u0344\u0f73\u0958")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		c := normalize(t, NFC, text)
		d := normalize(t, NFD, text)
		if again := normalize(t, NFC, c); again != c {
			t.Errorf("NFC is not idempotent: %+q, %+q", c, again)
		}
		if got := normalize(t, NFD, c); got != d {
			t.Errorf("NFD(NFC(x)) is %+q, NFD(x) %+q", got, d)
		}
		if got := normalize(t, NFC, d); got != c {
			t.Errorf("NFC(NFD(x)) is %+q, NFC(x) %+q", got, c)
		}
	})
}

func BenchmarkTable(b *testing.B) {
	for b.Loop() {
		newTable()
	}
}
