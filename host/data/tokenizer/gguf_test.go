package tokenizer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/gguf"
)

var _ Metadata = (*gguf.File)(nil)

// metadata is a GGUF file's key-values in a map.
type metadata map[string]any

func get[T any](m metadata, key string) (T, error) {
	v, ok := m[key].(T)
	if !ok {
		return v, fmt.Errorf("key %q is %T", key, m[key])
	}
	return v, nil
}

func (m metadata) Has(key string) bool                  { _, ok := m[key]; return ok }
func (m metadata) String(key string) (string, error)    { return get[string](m, key) }
func (m metadata) Strings(key string) ([]string, error) { return get[[]string](m, key) }
func (m metadata) Ints(key string) ([]int64, error)     { return get[[]int64](m, key) }
func (m metadata) Floats(key string) ([]float64, error) { return get[[]float64](m, key) }
func (m metadata) Uint(key string) (uint64, error)      { return get[uint64](m, key) }
func (m metadata) Bool(key string) (bool, error)        { return get[bool](m, key) }
func (m metadata) with(changes metadata) metadata {
	out := maps.Clone(m)
	for key, value := range changes {
		if value == nil {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}

// ggufOf returns the metadata that a converter would write of a tokenizer.
func ggufOf(t testing.TB, g smallGolden, tok *Tokenizer, pre string) metadata {
	t.Helper()
	var file struct {
		Model struct {
			Merges [][2]string `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(g.Tokenizer, &file); err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, tok.VocabSize())
	types := slices.Repeat([]int64{typeNormal}, len(tokens))
	for id := range tokens {
		text, ok := tok.TokenText(int32(id))
		if !ok {
			t.Fatalf("no token %d", id)
		}
		tokens[id] = text
	}
	for _, added := range tok.AddedTokens() {
		types[added.ID] = typeUserDefined
		if added.Special {
			types[added.ID] = typeControl
		}
	}
	// A converter fills up the vocabulary to the size of the embedding.
	for i := range 5 {
		tokens = append(tokens, fmt.Sprintf("[PAD%d]", i))
		types = append(types, typeUnused)
	}
	var merges []string
	for _, m := range file.Model.Merges {
		merges = append(merges, m[0]+" "+m[1])
	}
	return metadata{keyModel: "gpt2", keyPre: pre, keyTokens: tokens, keyTypes: types, keyMerges: merges}
}

func TestFromGGUFAsTheModelsOwnFile(t *testing.T) {
	texts := readTexts(t)
	for _, test := range []struct {
		name, pre string
		bos       string
	}{
		{"gpt2", "gpt-2", ""},
		{"smollm", "smollm", ""},
		{"llama3", "llama-bpe", "<|begin_of_text|>"},
		{"qwen2", "qwen2", ""},
		{"gpt4o", "gpt-4o", ""},
		{"deepseek3", "deepseek-v3", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, own := readSmall(t, test.name)
			meta := ggufOf(t, g, own, test.pre)
			if test.bos != "" {
				id, _ := own.TokenID(test.bos)
				meta[keyBOS] = uint64(id)
			}
			tok, err := FromGGUF(meta)
			if err != nil {
				t.Fatal(err)
			}
			if tok.VocabSize() != own.VocabSize() {
				t.Errorf("VocabSize is %d, of the file %d", tok.VocabSize(), own.VocabSize())
			}
			if !slices.Equal(tok.AddedTokens(), own.AddedTokens()) {
				t.Errorf("added tokens are %v, of the file %v", tok.AddedTokens(), own.AddedTokens())
			}
			compareSmall(t, tok, g, texts)
			again, err := Load(tok.MarshalTokenizerJSON())
			if err != nil {
				t.Fatal(err)
			}
			compareSmall(t, again, g, texts)
		})
	}
}

func TestFromGGUFOfSmolLM2(t *testing.T) {
	path := os.Getenv("HONE_TEST_SMOLLM2")
	if path == "" {
		t.Skip("HONE_TEST_SMOLLM2 is not set")
	}
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tok, err := FromGGUF(file)
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 49152 {
		t.Errorf("VocabSize is %d, want 49152", tok.VocabSize())
	}
	if id, ok := tok.TokenID("<|im_end|>"); !ok || id != 2 || !tok.IsSpecial(id) {
		t.Errorf("<|im_end|> is %d, %v", id, ok)
	}
	compareSmall(t, tok, readGolden(t, "smollm2.digests"), readTexts(t))
}

func TestFromGGUFErrors(t *testing.T) {
	g, own := readSmall(t, "llama3")
	base := ggufOf(t, g, own, "llama-bpe")
	tokens := base[keyTokens].([]string)
	changed := func(at int, text string) []string {
		out := slices.Clone(tokens)
		out[at] = text
		return out
	}
	tests := []struct {
		name    string
		changes metadata
		want    string
	}{
		{"no tokenizer", metadata{keyModel: nil}, keyModel},
		{"other model", metadata{keyModel: "bert"}, `"bert" is not supported`},
		{"no tokens", metadata{keyTokens: nil}, keyTokens},
		{"empty", metadata{keyTokens: []string{}}, "0 tokens"},
		{"tokens of another type", metadata{keyTokens: 7}, keyTokens},
		{"no pre-tokenizer", metadata{keyPre: nil}, "newer program"},
		{"unknown pre-tokenizer", metadata{keyPre: "chimera"}, `"chimera" is not supported`},
		{"types of another length", metadata{keyTypes: []int64{1}}, "1 entries"},
		{"no merges", metadata{keyMerges: nil}, keyMerges},
		{"broken merge", metadata{keyMerges: []string{"a b", "ab"}}, "merge 1"},
		{"merge of unknown tokens", metadata{keyMerges: []string{"a qqq"}}, `"qqq"`},
		{"bos beyond the vocabulary", metadata{keyBOS: uint64(1 << 40)}, keyBOS},
		{"bos without a token", metadata{keyAddBOS: true}, keyAddBOS},
		{"two tokens of one text", metadata{keyTokens: changed(7, tokens[9])}, "tokens 7 and 9"},
		{"not UTF-8", metadata{keyTokens: changed(7, "\xff")}, "token 7"},
		{"scores of another length", metadata{keyModel: "llama", keyMerges: nil, keyScores: []float64{1}}, "1 entries"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := FromGGUF(base.with(test.changes))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that holds %q", err, test.want)
			}
			if strings.Contains(test.want, "not supported") && !errors.Is(err, ErrUnsupported) {
				t.Errorf("error %v does not wrap ErrUnsupported", err)
			}
		})
	}
	if _, err := FromGGUF(base); err != nil {
		t.Errorf("without a change: %v", err)
	}
}

func TestFromGGUFKeepsIDs(t *testing.T) {
	// Added and unused tokens in the midst of the vocabulary, and a flag for
	// the end of sequences.
	meta := metadata{
		keyModel: "gpt2", keyPre: "gpt-2",
		keyTokens: []string{"<s>", "a", "b", "<x>", "[PAD4]", "[PAD4]", "", "ab", "</s>", "[PAD9]"},
		keyTypes:  []int64{3, 1, 1, 4, 5, 5, 1, 1, 3, 5},
		keyMerges: []string{"a b"},
		keyBOS:    uint64(0), keyEOS: uint64(8), keyAddBOS: true, keyAddEOS: true,
	}
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Encode("ab<x>ba</s>", Options{AddSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{0, 7, 3, 2, 1, 8, 8}; !slices.Equal(e.IDs, want) {
		t.Errorf("ids %v, want %v", e.IDs, want)
	}
	if text, _ := tok.Decode(e.IDs, true); text != "ab<x>ba" {
		t.Errorf("decoded without special tokens: %q", text)
	}
}

func TestFromGGUFOfSentencePiece(t *testing.T) {
	tokens := []string{"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "▁", "a", "b", "c", "ab", "bc", "abc", "▁a", "▁ab", "  ", "<0x0A>"}
	meta := metadata{
		keyModel: "llama", keyTokens: tokens,
		keyTypes:  []int64{2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 6},
		keyScores: []float64{0, 0, 0, 0, 0, -9, -9, -9, -9, -2, -1, -3, -4, -5, -1000, 0},
		keyBOS:    uint64(1), keyEOS: uint64(2), keyUnknown: uint64(0),
	}
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want []int32
	}{
		{"abc", []int32{1, 5, 11}},         // bc first, then abc; ▁ab has no part left
		{"ab ab", []int32{1, 13, 13}},      // ab, ▁ab
		{"é\n", []int32{1, 5, 3, 4, 15}},   // bytes
		{"ÿ a", []int32{1, 5, 0, 12}},      // the vocabulary lacks one of its bytes
		{"a</s>a", []int32{1, 12, 2, 12}},  // each piece of text gets its ▁
		{"a▁▁b", []int32{1, 12, 14, 5, 7}}, // two spaces, spelled as the file of the model has them
	} {
		e, err := tok.Encode(test.text, Options{AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, test.want) {
			t.Errorf("%q is %v, want %v", test.text, e.IDs, test.want)
		}
	}
	if text, _ := tok.Decode([]int32{1, 13, 12, 3, 4}, true); text != "ab aé" {
		t.Errorf("decoded %q", text)
	}
	bare, err := FromGGUF(meta.with(metadata{keySpacePrefix: false, keyAddBOS: false}))
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := bare.Encode("ab", Options{AddSpecial: true}); !slices.Equal(e.IDs, []int32{9}) {
		t.Errorf("without prefix and begin: %v", e.IDs)
	}
}

// TestFromGGUFOfLlama2 makes GGUF metadata of the tokenizer.json in
// HONE_TEST_TOKENIZERS/llama2, whose merges SentencePiece's scores stand for.
func TestFromGGUFOfLlama2(t *testing.T) {
	folder := os.Getenv("HONE_TEST_TOKENIZERS")
	if folder == "" {
		t.Skip("HONE_TEST_TOKENIZERS is not set")
	}
	data, err := os.ReadFile(filepath.Join(folder, "llama2", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	meta := metadata{keyModel: "llama", keyBOS: uint64(1), keyEOS: uint64(2)}
	var tokens []string
	var types []int64
	var scores []float64
	for id := range int32(own.VocabSize()) {
		text, _ := own.TokenText(id)
		typ, score := int64(typeNormal), float64(259-id)
		switch {
		case id == 0:
			typ, score = typeUnknown, 0
		case id < 3:
			typ, score = typeControl, 0
		case id < 259:
			typ, score = 6, 0
		case len(text) > len("▁") && strings.Trim(text, "▁") == "":
			score = -1e9 // runs of spaces, as SentencePiece's file has them
		}
		tokens, types, scores = append(tokens, text), append(types, typ), append(scores, score)
	}
	meta[keyTokens], meta[keyTypes], meta[keyScores] = tokens, types, scores
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.Open(filepath.Join(folder, "llama2", "golden.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	compareFull(t, tok, bufio.NewReader(golden))
}
