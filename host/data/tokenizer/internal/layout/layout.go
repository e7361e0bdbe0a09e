// Package layout writes tokenizer.json, the file format of the Python
// tokenizers library, for tokenizers that come from elsewhere: a GGUF file, or
// training.
package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A Layout is a byte-pair encoding tokenizer as its file describes it.
type Layout struct {
	Vocab  []string    // the tokens of the model by id
	Merges [][2]string // by rank
	Added  []Added     // in the order of their ids

	// Components of the pipeline, each a JSON object, or nil for none.
	Normalizer, PreTokenizer, PostProcessor, Decoder json.RawMessage

	Unknown                                 string // "" for none
	FuseUnknown, ByteFallback, IgnoreMerges bool
}

// Added is an added token. Its fields are those of the file.
type Added struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// Marshal returns the file, indented as the library writes it.
func (l *Layout) Marshal() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n")
	added := l.Added
	if added == nil {
		added = []Added{}
	}
	for _, part := range []struct {
		name  string
		value any
	}{
		{"added_tokens", added},
		{"normalizer", l.Normalizer},
		{"pre_tokenizer", l.PreTokenizer},
		{"post_processor", l.PostProcessor},
		{"decoder", l.Decoder},
	} {
		text, err := marshal(part.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(&b, "  %q: ", part.name)
		if err := json.Indent(&b, text, "  ", "  "); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		b.WriteString(",\n")
	}
	if err := l.model(&b); err != nil {
		return nil, err
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func (l *Layout) model(b *bytes.Buffer) error {
	unknown := []byte("null")
	if l.Unknown != "" {
		unknown, _ = marshal(l.Unknown)
	}
	fmt.Fprintf(b, `  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": %s,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": %t,
    "byte_fallback": %t,
    "ignore_merges": %t,
    "vocab": {`, unknown, l.FuseUnknown, l.ByteFallback, l.IgnoreMerges)
	separator := "\n      "
	for id, token := range l.Vocab {
		text, err := marshal(token)
		if err != nil {
			return fmt.Errorf("token %d: %w", id, err)
		}
		b.WriteString(separator)
		b.Write(text)
		b.WriteString(": ")
		b.WriteString(strconv.Itoa(id))
		separator = ",\n      "
	}
	b.WriteString("\n    },\n    \"merges\": [")
	separator = "\n      "
	for rank, merge := range l.Merges {
		text, err := marshal(merge)
		if err != nil {
			return fmt.Errorf("merge %d: %w", rank, err)
		}
		b.WriteString(separator)
		b.Write(text)
		separator = ",\n      "
	}
	b.WriteString("\n    ]\n  }")
	return nil
}

// marshal encodes v without escaping what HTML minds.
func marshal(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok && raw == nil {
		return []byte("null"), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
