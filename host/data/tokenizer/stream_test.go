package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// streamed decodes ids token by token.
func streamed(t testing.TB, tok *Tokenizer, ids []int32, skip bool) string {
	t.Helper()
	s := tok.NewStream(skip)
	var out strings.Builder
	for _, id := range ids {
		text, err := s.Push(id)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.ValidString(text) {
			t.Fatalf("Push gives %q", text)
		}
		out.WriteString(text)
	}
	text, err := s.Flush()
	if err != nil {
		t.Fatal(err)
	}
	out.WriteString(text)
	if again, err := s.Flush(); again != "" || err != nil {
		t.Fatalf("a second Flush gives %q, %v", again, err)
	}
	return out.String()
}

func TestStreamGivesWhatDecodeGives(t *testing.T) {
	texts := readTexts(t)
	for _, name := range smallTokenizers(t) {
		t.Run(name, func(t *testing.T) {
			_, tok := readSmall(t, name)
			rng := rand.New(rand.NewPCG(1, 2))
			for i, text := range texts {
				e, err := tok.Encode(text, Options{AddSpecial: i%2 == 0})
				if err != nil {
					t.Fatal(err)
				}
				ids := e.IDs
				if _, whole := tok.decoder.(byteLevelDecoder); whole && i%3 == 0 {
					// Bytes in any order, and ids that no token has.
					rng.Shuffle(len(ids), func(a, b int) { ids[a], ids[b] = ids[b], ids[a] })
					ids = append(ids, -1, 1<<30)
				}
				want, err := tok.Decode(ids, i%4 == 0)
				if err != nil {
					t.Fatal(err)
				}
				if got := streamed(t, tok, ids, i%4 == 0); got != want {
					t.Errorf("text %d: streamed %q, decoded %q", i, got, want)
				}
			}
		})
	}
}

func TestStreamWithholdsIncompleteCharacters(t *testing.T) {
	_, bytes := readSmall(t, "gpt2")
	_, pieces := readSmall(t, "llama2")
	id := func(tok *Tokenizer, text string) int32 {
		id, ok := tok.TokenID(text)
		if !ok {
			t.Fatalf("no token %q", text)
		}
		return id
	}
	tests := []struct {
		name   string
		tok    *Tokenizer
		tokens []string
		want   []string // what each Push returns, and last Flush
	}{
		{"bytes of 中", bytes, []string{"ä", "¸", "Ń", "a"}, []string{"", "", "中", "a", ""}},
		{"ends within a character", bytes, []string{"a", "ä", "¸"}, []string{"a", "", "", "\ufffd"}},
		{"a character that goes wrong", bytes, []string{"ä", "a"}, []string{"", "\ufffda", ""}},
		{"a byte that begins nothing", bytes, []string{"¸", "a"}, []string{"\ufffd", "a", ""}},
		{"byte tokens", pieces, []string{"<0xE4>", "<0xB8>", "<0xAD>", "a"}, []string{"", "", "中", "a", ""}},
		{"byte tokens that end early", pieces, []string{"a", "<0xE4>", "<0xB8>"}, []string{"a", "", "", "\ufffd\ufffd"}},
		{"the first space is the tokenizer's own", pieces, []string{"▁", "a", "▁", "a"}, []string{"", "a", " ", "a", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := test.tok.NewStream(false)
			var got []string
			for _, token := range test.tokens {
				text, err := s.Push(id(test.tok, token))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, text)
			}
			text, err := s.Flush()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text)
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStreamOfALongRunOfReplacements(t *testing.T) {
	_, tok := readSmall(t, "llama2")
	id, _ := tok.TokenID("<0xFF>")
	s := tok.NewStream(false)
	total := 0
	for range 1000 {
		text, err := s.Push(id)
		if err != nil {
			t.Fatal(err)
		}
		total += strings.Count(text, "\ufffd")
		if len(s.tokens) > 2*maxPending+2 {
			t.Fatalf("the stream holds %d tokens", len(s.tokens))
		}
	}
	text, err := s.Flush()
	if err != nil {
		t.Fatal(err)
	}
	if total += strings.Count(text, "\ufffd"); total != 1000 {
		t.Errorf("%d replacement characters, want 1000", total)
	}
}
