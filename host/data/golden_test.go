package data

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/tokenizer"
)

// A golden is what gen_golden.py wrote: rows, and the ids and labels that TRL's
// SFT trainer makes of them.
type golden struct {
	Tokenizers map[string]json.RawMessage
	Special    map[string]struct{ BOS, EOS string }
	Templates  map[string]string
	Cases      []struct {
		Name, Tokenizer string
		Template        string
		Loss            Loss
		MaxLength       int `json:"max_length"`
		Rows            []json.RawMessage
		Want            []struct {
			IDs     []int32
			Learned []int
		}
	}
}

func readGolden(t *testing.T, name string) *golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

// newTemplate is a chat template that knows two special tokens.
func newTemplate(t testing.TB, source, bos, eos string) Template {
	t.Helper()
	template, err := chat.New(source, chat.Config{SpecialTokens: map[string]string{"bos_token": bos, "eos_token": eos}})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestTRLGoldens(t *testing.T) {
	g := readGolden(t, "golden.json")
	encoders := map[string]*Encoder{}
	for name, text := range g.Tokenizers {
		tok, err := tokenizer.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		encoders[name] = &Encoder{Tokenizer: tok}
	}
	testGoldens(t, g, encoders)
}

// testGoldens loads each case's rows from a file and compares the documents.
func testGoldens(t *testing.T, g *golden, encoders map[string]*Encoder) {
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			encoder := *encoders[c.Tokenizer]
			special := g.Special[c.Tokenizer]
			encoder.EOS = idOf(t, encoder.Tokenizer, special.EOS)
			if c.Template != "" {
				encoder.Template = newTemplate(t, g.Templates[c.Template], special.BOS, special.EOS)
			}
			spec := Spec{MaxLength: max(c.MaxLength, 2), Sources: []Source{{
				Files: []string{writeFile(t, "rows.jsonl", bytes.Join(rawBytes(c.Rows), []byte("\n")))},
				Loss:  c.Loss, OnError: ErrorSkip,
			}}}
			if c.MaxLength == 0 {
				spec.MaxLength = 1 << 20
			}
			set, report, err := Load(t.Context(), spec, &encoder)
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Documents) != len(c.Want) || len(c.Rows) != len(c.Want)+report.Failed() {
				t.Fatalf("%d rows gave %d documents and %d problems; TRL has %d documents",
					len(c.Rows), len(set.Documents), report.Failed(), len(c.Want))
			}
			for i, doc := range set.Documents {
				compareDocument(t, doc, c.Want[i].IDs, c.Want[i].Learned)
			}
		})
	}
}

func compareDocument(t *testing.T, doc *Document, ids []int32, learned []int) {
	t.Helper()
	equal := len(ids) == len(doc.IDs)
	for i := 0; equal && i < len(ids); i++ {
		// A document's first token is never predicted, whatever its label is.
		equal = ids[i] == doc.IDs[i] && (i == 0 || doc.Supervised[i] == (learned[i] == 1))
	}
	if !equal {
		t.Errorf("%s\ngot  %v %v\nwant %v %v", doc.Where, doc.IDs, doc.Weights(), ids, learned)
	}
}

// idOf is the id of a special token.
func idOf(t testing.TB, tok Tokenizer, text string) int32 {
	t.Helper()
	ids, err := tok.AppendIDs(nil, text, tokenizer.Options{})
	if err != nil || len(ids) != 1 {
		t.Fatalf("%q has the ids %v, %v", text, ids, err)
	}
	return ids[0]
}

func rawBytes(rows []json.RawMessage) [][]byte {
	out := make([][]byte, len(rows))
	for i, r := range rows {
		out[i] = r
	}
	return out
}

// writeFile writes a file into a folder of the test.
func writeFile(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
