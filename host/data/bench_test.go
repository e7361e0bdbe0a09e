package data

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// BenchmarkLoad reads and encodes 2,000 chats of some 3 kB each, with the
// tokenizer that HONE_TEST_SMOLLM2 names.
func BenchmarkLoad(b *testing.B) {
	encoder, _ := smollm2(b)
	prose, err := os.ReadFile("load.go")
	if err != nil {
		b.Fatal(err)
	}
	var rows bytes.Buffer
	for i := range 2000 {
		at := i * 7 % (len(prose) - 3000)
		row, err := json.Marshal(map[string]any{"messages": []map[string]string{
			{"role": "user", "content": string(prose[at : at+1000])}, {"role": "assistant", "content": string(prose[at+1000 : at+3000])},
		}})
		if err != nil {
			b.Fatal(err)
		}
		rows.Write(append(row, '\n'))
	}
	spec := Spec{MaxLength: 4096, Sources: []Source{{Files: []string{writeFile(b, "a.jsonl", rows.Bytes())}}}}
	b.SetBytes(int64(rows.Len()))
	for b.Loop() {
		if _, _, err := Load(b.Context(), spec, encoder); err != nil {
			b.Fatal(err)
		}
	}
}
