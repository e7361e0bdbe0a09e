package tokenizer

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func TestOffsets(t *testing.T) {
	tests := []struct {
		name, tokenizer, text string
		want                  []string // the source of each token
	}{
		{"part of a character is the whole", "gpt2", "a中", []string{"a", "中", "中", "中"}},
		{"a space goes with its word", "gpt2", "on the", []string{"on", " t", "he"}},
		{"a composed character has its mark", "qwen2", "xe\u0301y", []string{"x", "e\u0301", "y"}},
		{"text before and after it", "qwen2", "e\u0301中e\u0301",
			[]string{"e\u0301", "中", "中", "中", "e\u0301"}},
		{"special tokens", "smollm", "a<|im_end|>b", []string{"a", "<|im_end|>", "b"}},
		{"a token that takes in white space", "roberta", "ab  <mask>c", []string{"a", "b", "  <mask>", "c"}},
		{"▁ before the text", "llama2", "𐐀", []string{"𐐀", "𐐀", "𐐀", "𐐀", "𐐀"}},
		{"▁ for a space", "llama2", "b c", []string{"b", " c"}},
		{"bytes of a character", "llama2", "b𐐀", []string{"b", "𐐀", "𐐀", "𐐀", "𐐀"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, tok := readSmall(t, test.tokenizer)
			e, err := tok.Encode(test.text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range e.Offsets {
				got = append(got, test.text[o.Start:o.End])
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestOffsetsCoverTheText: but for the library's removals, tokens stand for
// all of a text, in order.
func TestOffsetsCoverTheText(t *testing.T) {
	for _, name := range []string{"gpt2", "roberta", "llama3", "qwen2", "gpt4o", "deepseek3", "llama2", "gemma"} {
		t.Run(name, func(t *testing.T) {
			_, tok := readSmall(t, name)
			for _, text := range readTexts(t) {
				e, err := tok.Encode(text, Options{})
				if err != nil {
					t.Fatal(err)
				}
				end := 0
				for i, o := range e.Offsets {
					if o.Start > end || o.End < end || o.End > len(text) || o.Start >= o.End {
						t.Fatalf("%q: token %d has %v after %d", text, i, o, end)
					}
					if !utf8.ValidString(text[o.Start:o.End]) {
						t.Fatalf("%q: token %d has a part of a character: %v", text, i, o)
					}
					end = o.End
				}
				if end != len(text) {
					t.Fatalf("%q: the tokens end at %d of %d", text, end, len(text))
				}
			}
		})
	}
}

func TestSpecialTokensInLiteralText(t *testing.T) {
	_, tok := readSmall(t, "smollm")
	const text = "<|im_start|>user: <|im_end|> stop<|im_end|>"
	start := strings.Index(text, "user")
	end := strings.LastIndex(text, "<|im_end|>")
	special := func(opts Options) (at []int) {
		e, err := tok.Encode(text, opts)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range e.IDs {
			if tok.IsSpecial(id) {
				at = append(at, e.Offsets[i].Start)
			}
		}
		if decoded, err := tok.Decode(e.IDs, false); err != nil || decoded != text {
			t.Errorf("decodes to %q, %v", decoded, err)
		}
		return at
	}
	tests := []struct {
		name string
		opts Options
		want []int
	}{
		{"all", Options{}, []int{0, 18, end}},
		{"none", Options{SpecialAsText: true}, nil},
		{"outside what the user said", Options{Literal: []Span{{start, end}}}, []int{0, end}},
		{"a range that touches one", Options{Literal: []Span{{0, 1}, {start, 20}}}, []int{end}},
		{"empty ranges", Options{Literal: []Span{{0, 0}, {18, 18}}}, []int{0, 18, end}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := special(test.opts); !slices.Equal(got, test.want) {
				t.Errorf("special tokens at %v, want %v", got, test.want)
			}
		})
	}
}

// TestSpecialTokenThatMergesWouldMake: with SpecialAsText no text makes a
// special token, even where the vocabulary and its merges could.
func TestSpecialTokenThatMergesWouldMake(t *testing.T) {
	for _, ignore := range []string{"true", "false"} {
		tok, err := Load([]byte(`{
			"added_tokens": [{"id": 3, "content": "<x", "special": true, "normalized": false}],
			"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
			"model": {"type": "BPE", "ignore_merges": ` + ignore + `, "vocab": {"<": 0, "x": 1, "xx": 2, "<x": 3}, "merges": ["< x", "x x"]}}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, opts := range []Options{{SpecialAsText: true}, {}} {
			e, err := tok.Encode("<x", opts)
			if err != nil {
				t.Fatal(err)
			}
			want := []int32{3}
			if opts.SpecialAsText {
				want = []int32{0, 1}
			}
			if !slices.Equal(e.IDs, want) {
				t.Errorf("ignore_merges %s, %+v: %v, want %v", ignore, opts, e.IDs, want)
			}
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	_, tok := readSmall(t, "gpt2")
	_, err := tok.Encode("ab\xffc", Options{})
	if !errors.Is(err, ErrInvalidUTF8) || !strings.Contains(err.Error(), "byte 2") {
		t.Errorf("error %v of a text that is not UTF-8", err)
	}
	ids, err := tok.AppendIDs([]int32{5}, "a\xe4\xb8", Options{})
	if !errors.Is(err, ErrInvalidUTF8) || !slices.Equal(ids, []int32{5}) {
		t.Errorf("AppendIDs gives %v, %v", ids, err)
	}
	lacking, err := Load([]byte(`{"model": {"type": "BPE", "unk_token": "<unk>", "vocab": {"a": 0}, "merges": []}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lacking.Encode("a", Options{}); err != nil {
		t.Errorf("a known character: %v", err)
	}
	if _, err := lacking.Encode("ab", Options{}); err == nil || !strings.Contains(err.Error(), `"<unk>"`) {
		t.Errorf("error %v of an unknown character", err)
	}
}

// TestLongWord: a word that is not cut takes no longer than its length says,
// by the heap, and comes out as short words do.
func TestLongWord(t *testing.T) {
	_, tok := readSmall(t, "gpt2")
	word := strings.Repeat("the", 100_000)
	e, err := tok.Encode(word, Options{})
	if err != nil {
		t.Fatal(err)
	}
	short, err := tok.Encode("thethethethe", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.IDs[4:8], short.IDs[4:8]) {
		t.Errorf("got %v…, want %v…", e.IDs[:8], short.IDs)
	}
	if text, err := tok.Decode(e.IDs, false); err != nil || text != word {
		t.Error("the word does not come back")
	}
}

// TestMergeByHeapAndByScan compares the two ways on the same words.
func TestMergeByHeapAndByScan(t *testing.T) {
	for _, name := range []string{"gpt2", "llama2", "gemma"} {
		_, tok := readSmall(t, name)
		var m merger
		for _, text := range readTexts(t) {
			pieces, err := tok.model.split(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			if len(pieces) < 2 {
				continue
			}
			scanned := slices.Clone(m.scan(tok.model.merges, slices.Clone(pieces)))
			if queued := m.queue(tok.model.merges, pieces); !slices.Equal(scanned, queued) {
				t.Errorf("%s, %q: %v by scanning, %v by the heap", name, text, scanned, queued)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	g, tok := readSmall(t, "llama3")
	texts := readTexts(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i, want := range g.Examples {
				e, err := tok.Encode(texts[i], Options{})
				if err != nil || !slices.Equal(e.IDs, want) {
					t.Errorf("%q: %v, %v, want %v", texts[i], e.IDs, err, want)
				}
			}
		})
	}
	wait.Wait()
}

func TestCacheStartsAgain(t *testing.T) {
	var c wordCache
	for i := range 3 * cachedWords {
		word := string(rune('a'+i%26)) + strings.Repeat("x", i%7) + string(rune(0x4E00+i%20000)) + string(rune(0x1000+i%999))
		c.put(word, []piece{{id: int32(i)}})
		if got, ok := c.get(word); !ok || got[0].id != int32(i) {
			t.Fatalf("word %d: %v, %v", i, got, ok)
		}
		if len(c.words) > cachedWords || len(c.pieces) > cachedPieces {
			t.Fatalf("%d words, %d pieces", len(c.words), len(c.pieces))
		}
	}
	long := strings.Repeat("y", cachedWordLength+1)
	c.put(long, nil)
	if _, ok := c.get(long); ok {
		t.Error("a long word is kept")
	}
}
