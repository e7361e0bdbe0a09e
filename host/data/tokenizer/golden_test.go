package tokenizer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// results are what gen_golden.py writes of a text.
type results struct {
	IDs      []int32  `json:"ids"`
	Special  []int32  `json:"special"`
	AsText   []int32  `json:"as_text"`
	Offsets  [][2]int `json:"offsets"`
	Decoded  string   `json:"decoded"`
	Skipped  string   `json:"skipped"`
	Shuffled string   `json:"shuffled"`
}

// encodeAll computes the results of a text.
func encodeAll(t testing.TB, tok *Tokenizer, text string) results {
	t.Helper()
	encode := func(opts Options) Encoding {
		e, err := tok.Encode(text, opts)
		if err != nil {
			t.Fatalf("Encode(%q): %v", text, err)
		}
		if len(e.IDs) != len(e.Offsets) {
			t.Fatalf("Encode(%q): %d ids, %d offsets", text, len(e.IDs), len(e.Offsets))
		}
		ids, err := tok.AppendIDs([]int32{-7}, text, opts)
		if err != nil || !slices.Equal(ids[1:], e.IDs) {
			t.Fatalf("AppendIDs(%q) gives %v, %v; Encode %v", text, ids, err, e.IDs)
		}
		return e
	}
	decode := func(ids []int32, skip bool) string {
		text, err := tok.Decode(ids, skip)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	plain := encode(Options{})
	r := results{IDs: plain.IDs, Special: encode(Options{AddSpecial: true}).IDs, AsText: encode(Options{SpecialAsText: true}).IDs}
	for _, o := range plain.Offsets {
		r.Offsets = append(r.Offsets, [2]int{o.Start, o.End})
	}
	reversed := slices.Clone(r.Special)
	slices.Reverse(reversed)
	r.Decoded, r.Skipped, r.Shuffled = decode(r.Special, false), decode(r.Special, true), decode(reversed, false)
	return r
}

// fields returns the results by name, as gen_golden.py writes them for its digests.
func (r results) fields(t testing.TB) map[string]string {
	t.Helper()
	list := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) == "null" {
			return "[]"
		}
		return string(text)
	}
	return map[string]string{
		"ids": list(r.IDs), "special": list(r.Special), "as_text": list(r.AsText), "offsets": list(r.Offsets),
		"decoded": r.Decoded, "skipped": r.Skipped, "shuffled": r.Shuffled,
	}
}

func readTexts(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// smallTokenizers returns the names of the checked-in tokenizers.
func smallTokenizers(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".json"); name != "texts" && !strings.HasSuffix(name, ".digests") {
			names = append(names, name)
		}
	}
	if len(names) < 15 {
		t.Fatalf("only %d tokenizers", len(names))
	}
	return names
}

type smallGolden struct {
	Examples  [][]int32         `json:"examples"`
	Digests   map[string]string `json:"digests"`
	Tokenizer json.RawMessage   `json:"tokenizer"`
}

func readGolden(t testing.TB, name string) smallGolden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var g smallGolden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func readSmall(t testing.TB, name string) (smallGolden, *Tokenizer) {
	t.Helper()
	g := readGolden(t, name)
	tok, err := Load(g.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return g, tok
}

func TestSmallTokenizersAsTheLibrary(t *testing.T) {
	texts := readTexts(t)
	for _, name := range smallTokenizers(t) {
		t.Run(name, func(t *testing.T) {
			g, tok := readSmall(t, name)
			if w := tok.Warnings(); len(w) > 0 {
				t.Errorf("warnings: %q", w)
			}
			compareSmall(t, tok, g, texts)
		})
	}
}

// compareSmall compares what tok gives on the common texts.
func compareSmall(t *testing.T, tok *Tokenizer, g smallGolden, texts []string) {
	t.Helper()
	want := make(map[string][]string)
	for key, digests := range g.Digests {
		want[key] = strings.Fields(digests)
	}
	differ := make(map[string]int)
	for i, text := range texts {
		r := encodeAll(t, tok, text)
		if i < len(g.Examples) && !slices.Equal(r.IDs, g.Examples[i]) {
			t.Errorf("text %d, %q:\n got %v\nwant %v", i, text, r.IDs, g.Examples[i])
		}
		for key, got := range r.fields(t) {
			sum := sha256.Sum256([]byte(got))
			if w := want[key][i]; w != "-" && w != hex.EncodeToString(sum[:4]) {
				if differ[key]++; differ[key] <= 2 {
					t.Errorf("text %d: %s differs: %q gives %s", i, key, text, got)
				}
			}
		}
	}
	if len(differ) > 0 {
		t.Errorf("texts that differ, of %d: %v", len(texts), differ)
	}
}

// TestRealTokenizersAsTheLibrary reads the folders of HONE_TEST_TOKENIZERS,
// each with a tokenizer.json and the golden.jsonl that gen_golden.py made of it.
func TestRealTokenizersAsTheLibrary(t *testing.T) {
	folder := os.Getenv("HONE_TEST_TOKENIZERS")
	if folder == "" {
		t.Skip("HONE_TEST_TOKENIZERS is not set")
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*", "golden.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(path), "tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			tok, err := Load(data)
			if err != nil {
				t.Fatal(err)
			}
			golden, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer golden.Close()
			compareFull(t, tok, bufio.NewReader(golden))
		})
	}
}

func compareFull(t *testing.T, tok *Tokenizer, golden *bufio.Reader) {
	t.Helper()
	differ := make(map[string]int)
	documents := 0
	for {
		line, err := golden.ReadBytes('\n')
		if err != nil {
			break
		}
		var want struct {
			Text string `json:"text"`
			results
		}
		if err := json.Unmarshal(bytes.TrimSpace(line), &want); err != nil {
			t.Fatal(err)
		}
		documents++
		got := encodeAll(t, tok, want.Text).fields(t)
		for key, value := range want.fields(t) {
			if got[key] != value && (key != "offsets" || want.Offsets != nil || len(want.IDs) == 0) {
				if differ[key]++; differ[key] <= 2 {
					t.Errorf("document %d: %s differs: %q\n got %s\nwant %s", documents, key, want.Text, got[key], value)
				}
			}
		}
	}
	t.Logf("%d documents; differing: %v", documents, fmt.Sprint(differ))
	if documents < 1000 {
		t.Errorf("only %d documents", documents)
	}
}
