package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// prose is English text in documents of some 2 kB: HONE_BENCH_TEXT if it is
// set, else sentences of the goldens.
func prose(b *testing.B) (documents []string, size int64) {
	b.Helper()
	var text string
	if path := os.Getenv("HONE_BENCH_TEXT"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		text = strings.ToValidUTF8(string(data), "?")
	} else {
		var sentences []string
		for i := range 4000 {
			sentences = append(sentences, "The quick brown fox can't jump over the lazy dog's bones, and they'll say it wasn't so.",
				"Tokenizers split words into pieces, and the pieces of one word are merged from the left.",
				"In "+string(rune('A'+i%26))+" there were some who would not go, and others went before.")
		}
		text = strings.Join(sentences, " ")
	}
	for len(text) > 0 {
		n := min(2048, len(text))
		if i := strings.IndexByte(text[n:], ' '); i >= 0 {
			n += i
		}
		documents = append(documents, text[:n])
		size += int64(n)
		text = text[n:]
	}
	return documents, size
}

// realFiles returns the tokenizers of HONE_TEST_TOKENIZERS, and a small one.
func realFiles(b *testing.B) map[string][]byte {
	b.Helper()
	g := readGolden(b, "llama3")
	files := map[string][]byte{"small": g.Tokenizer}
	paths, err := filepath.Glob(filepath.Join(os.Getenv("HONE_TEST_TOKENIZERS"), "*", "tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		files[filepath.Base(filepath.Dir(path))] = data
	}
	return files
}

func BenchmarkLoad(b *testing.B) {
	for name, data := range realFiles(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Load(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	documents, size := prose(b)
	for name, data := range realFiles(b) {
		tok, err := Load(data)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/offsets", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				for _, text := range documents {
					if _, err := tok.Encode(text, Options{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(name+"/ids", func(b *testing.B) {
			b.SetBytes(size)
			var ids []int32
			for b.Loop() {
				for _, text := range documents {
					if ids, err = tok.AppendIDs(ids[:0], text, Options{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(name+"/cold", func(b *testing.B) {
			b.SetBytes(size)
			var ids []int32
			for b.Loop() {
				w := tok.worker() // never put back, so its cache is empty
				w.cache, w.ids = wordCache{}, ids[:0]
				for _, text := range documents {
					if err := w.encode(text, Options{}); err != nil {
						b.Fatal(err)
					}
				}
				ids = w.ids
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	documents, size := prose(b)
	for name, data := range realFiles(b) {
		tok, err := Load(data)
		if err != nil {
			b.Fatal(err)
		}
		var encoded [][]int32
		for _, text := range documents {
			ids, err := tok.AppendIDs(nil, text, Options{})
			if err != nil {
				b.Fatal(err)
			}
			encoded = append(encoded, ids)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				for _, ids := range encoded {
					if _, err := tok.Decode(ids, false); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
