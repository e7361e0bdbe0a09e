package train

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/data/tokenizer"
)

type golden struct {
	Corpus  []string       `json:"corpus"`
	Special []string       `json:"special"`
	Vocab   map[string]int `json:"vocab"`
	Merges  [][2]string    `json:"merges"`
	Texts   []string       `json:"texts"`
	IDs     [][]int32      `json:"ids"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/train.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTrainAsTheLibrary(t *testing.T) {
	g := readGolden(t)
	data, err := Train(slices.Values(g.Corpus), Options{VocabSize: len(g.Vocab), Special: g.Special, BOS: "<|begin|>"})
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Model struct {
			Vocab  map[string]int `json:"vocab"`
			Merges [][2]string    `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for i := range min(len(g.Merges), len(file.Model.Merges)) {
		if g.Merges[i] != file.Model.Merges[i] {
			t.Fatalf("merge %d is %q, want %q", i, file.Model.Merges[i], g.Merges[i])
		}
	}
	if len(g.Merges) != len(file.Model.Merges) {
		t.Errorf("%d merges, want %d", len(file.Model.Merges), len(g.Merges))
	}
	for token, id := range g.Vocab {
		if got, ok := file.Model.Vocab[token]; !ok || got != id {
			t.Errorf("token %q is %d, %v, want %d", token, got, ok, id)
		}
	}
	tok, err := tokenizer.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range g.Texts {
		e, err := tok.Encode(text, tokenizer.Options{AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		if want := append([]int32{0}, g.IDs[i]...); !slices.Equal(e.IDs, want) {
			t.Errorf("%q: %v, want %v", text, e.IDs, want)
		}
		if back, err := tok.Decode(e.IDs[1:], false); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	g := readGolden(t)
	opts := Options{VocabSize: 500, Special: g.Special}
	first, err := Train(slices.Values(g.Corpus), opts)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(g.Corpus)
	second, err := Train(slices.Values(g.Corpus), opts)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same texts in another order give another tokenizer")
	}
}

func TestTrainEndsWhereNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		name     string
		corpus   []string
		minCount int
		want     []string // tokens beyond the bytes
	}{
		{"no text", nil, 0, nil},
		{"one word", []string{"abc"}, 1, []string{"ab", "abc"}},
		{"every pair once", []string{"abc"}, 0, nil},
		{"overlapping pairs", []string{"aaaa"}, 1, []string{"aa", "aaaa"}},
		{"by count", []string{"xy xy xy ab ab"}, 2, []string{"xy", "ab", "Ġxy", "Ġab"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := Train(slices.Values(test.corpus), Options{VocabSize: 1000, MinCount: test.minCount})
			if err != nil {
				t.Fatal(err)
			}
			tok, err := tokenizer.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for id := 256; id < tok.VocabSize(); id++ {
				text, _ := tok.TokenText(int32(id))
				got = append(got, text)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("tokens %q, want %q", got, test.want)
			}
		})
	}
}

func TestTrainErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		corpus []string
		opts   Options
		want   string
	}{
		{"small vocabulary", nil, Options{VocabSize: 256, Special: []string{"<s>"}}, "need 257"},
		{"special token twice", nil, Options{VocabSize: 300, Special: []string{"<s>", "<s>"}}, `"<s>" is named twice`},
		{"empty special token", nil, Options{VocabSize: 300, Special: []string{""}}, "without text"},
		{"special token that is not text", nil, Options{VocabSize: 300, Special: []string{"\xff"}}, "UTF-8"},
		{"unknown beginning", nil, Options{VocabSize: 300, BOS: "<s>"}, `"<s>"`},
		{"negative count", nil, Options{VocabSize: 300, MinCount: -1}, "-1"},
		{"text that is not text", []string{"a", "b\xff"}, Options{VocabSize: 300}, "text 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Train(slices.Values(test.corpus), test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that holds %q", err, test.want)
			}
		})
	}
}
