package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/layout"
)

// Metadata is the key-values of a GGUF file. Each method returns an error if
// the key is missing or of another type.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Strings(key string) ([]string, error)
	Ints(key string) ([]int64, error)
	Floats(key string) ([]float64, error)
	Uint(key string) (uint64, error)
	Bool(key string) (bool, error)
}

// The keys of a GGUF file that describe its tokenizer.
const (
	keyModel       = "tokenizer.ggml.model"
	keyPre         = "tokenizer.ggml.pre"
	keyTokens      = "tokenizer.ggml.tokens"
	keyTypes       = "tokenizer.ggml.token_type"
	keyScores      = "tokenizer.ggml.scores"
	keyMerges      = "tokenizer.ggml.merges"
	keyAddBOS      = "tokenizer.ggml.add_bos_token"
	keyAddEOS      = "tokenizer.ggml.add_eos_token"
	keyBOS         = "tokenizer.ggml.bos_token_id"
	keyEOS         = "tokenizer.ggml.eos_token_id"
	keyUnknown     = "tokenizer.ggml.unknown_token_id"
	keyPadding     = "tokenizer.ggml.padding_token_id"
	keySpacePrefix = "tokenizer.ggml.add_space_prefix"
	keyTemplate    = "tokenizer.chat_template"

	keyArchitecture = "general.architecture"
)

// Values of token_type.
const (
	typeNormal      = 1
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
	typeUnused      = 5
)

// FromGGUF returns the tokenizer that a GGUF file describes: byte-level
// byte-pair encoding (model "gpt2") or SentencePiece's (model "llama").
//
// A GGUF file says less than a tokenizer.json. What it leaves out is that of
// the models known by the file's tokenizer.ggml.pre; an unknown one is an
// error, since a guess would train on the wrong ids. Unused tokens at the end
// of the vocabulary, which only fill up the embedding, are left out.
func FromGGUF(meta Metadata) (*Tokenizer, error) {
	t, err := fromGGUF(meta)
	if err != nil {
		return nil, fmt.Errorf("the tokenizer of the GGUF file: %w", err)
	}
	return t, nil
}

func fromGGUF(meta Metadata) (*Tokenizer, error) {
	g, err := readGGUF(meta)
	if err != nil {
		return nil, err
	}
	var l *layout.Layout
	switch g.kind {
	case "gpt2":
		l, err = g.byteLevel(meta)
	case "llama":
		l, err = g.sentencePiece(meta)
	default:
		err = fmt.Errorf("%s %q is %w; gpt2 and llama are", keyModel, shortText([]byte(g.kind)), ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	if l.PostProcessor, err = g.postProcessor(); err != nil {
		return nil, err
	}
	g.place(l)
	data, err := l.Marshal()
	if err != nil {
		return nil, err
	}
	t, err := load(data)
	if err != nil {
		return nil, err
	}
	for id, text := range g.tokens[:g.used] {
		if got, ok := t.TokenID(text); !ok || int(got) != id {
			return nil, fmt.Errorf("token %q is id %d in the file, and would be %d", shortText([]byte(text)), id, got)
		}
	}
	return t, nil
}

// ggufTokens is what both kinds of tokenizer have.
type ggufTokens struct {
	kind           string
	tokens         []string
	types          []int64
	used           int // tokens before the unused ones at the end
	addBOS, addEOS bool

	bos, eos, unknown int // ids, or -1
}

func readGGUF(meta Metadata) (*ggufTokens, error) {
	g := &ggufTokens{bos: -1, eos: -1, unknown: -1}
	if !meta.Has(keyModel) {
		return nil, fmt.Errorf("the file has none (no %s)", keyModel)
	}
	var err error
	if g.kind, err = meta.String(keyModel); err != nil {
		return nil, err
	}
	if g.tokens, err = meta.Strings(keyTokens); err != nil {
		return nil, err
	}
	if len(g.tokens) == 0 || len(g.tokens) > maxID {
		return nil, fmt.Errorf("%s has %d tokens", keyTokens, len(g.tokens))
	}
	if meta.Has(keyTypes) {
		if g.types, err = meta.Ints(keyTypes); err != nil {
			return nil, err
		}
		if len(g.types) != len(g.tokens) {
			return nil, fmt.Errorf("%s has %d entries for %d tokens", keyTypes, len(g.types), len(g.tokens))
		}
	} else {
		g.types = slices.Repeat([]int64{typeNormal}, len(g.tokens))
	}
	for i, typ := range g.types {
		if typ == 0 {
			g.types[i] = typeNormal
		}
	}
	for g.used = len(g.tokens); g.used > 0 && g.types[g.used-1] == typeUnused; g.used-- {
	}
	return g, g.check(meta)
}

// check reads the ids of special tokens and looks for texts that cannot stand
// in a vocabulary.
func (g *ggufTokens) check(meta Metadata) error {
	for _, key := range []struct {
		name string
		id   *int
	}{{keyBOS, &g.bos}, {keyEOS, &g.eos}, {keyUnknown, &g.unknown}} {
		if !meta.Has(key.name) {
			continue
		}
		id, err := meta.Uint(key.name)
		if err != nil {
			return err
		}
		if id >= uint64(g.used) {
			return fmt.Errorf("%s is %d; the file has %d tokens", key.name, id, g.used)
		}
		*key.id = int(id)
	}
	seen := make(map[string]int, g.used)
	for id, text := range g.tokens[:g.used] {
		if !utf8.ValidString(text) {
			return fmt.Errorf("token %d, %q: %w", id, shortText([]byte(text)), ErrInvalidUTF8)
		}
		before, ok := seen[text]
		switch {
		case ok && g.types[id] == typeUnused, text == "" && g.types[id] != typeControl:
			// Never made of text; any name will do that is not another's.
			g.tokens[id] = fmt.Sprintf("[UNUSED_%d]", id)
		case ok:
			return fmt.Errorf("tokens %d and %d have the same text, %q", before, id, shortText([]byte(text)))
		case text == "":
			return fmt.Errorf("the control token %d has no text", id)
		}
		seen[g.tokens[id]] = id
	}
	return nil
}

func (g *ggufTokens) isAdded(id int) bool {
	switch g.types[id] {
	case typeUnknown, typeControl, typeUserDefined:
		return true
	}
	return false
}

// place puts tokens into the vocabulary of the model and among the added ones.
// As in the models' own files, added tokens at the end are not of the
// vocabulary; it has to reach up to the last of the others, since the library
// numbers added tokens on from there. SentencePiece's vocabulary has them all,
// for its merges.
func (g *ggufTokens) place(l *layout.Layout) {
	end := g.used
	for g.kind == "gpt2" && end > 0 && g.isAdded(end-1) {
		end--
	}
	l.Vocab = g.tokens[:end]
	for id := range g.used {
		if g.isAdded(id) {
			l.Added = append(l.Added, layout.Added{
				ID: int32(id), Content: g.tokens[id], Special: g.types[id] != typeUserDefined,
			})
		}
	}
}

// postProcessor adds the tokens that begin and end a sequence.
func (g *ggufTokens) postProcessor() (json.RawMessage, error) {
	if g.addBOS && g.bos < 0 || g.addEOS && g.eos < 0 {
		return nil, fmt.Errorf("%s or %s is true, and the file does not name the token", keyAddBOS, keyAddEOS)
	}
	if !g.addBOS && !g.addEOS {
		return nil, nil
	}
	type named struct {
		ID     string `json:"id"`
		TypeID int    `json:"type_id"`
	}
	type piece map[string]named
	type tokens struct {
		ID     string   `json:"id"`
		IDs    []int    `json:"ids"`
		Tokens []string `json:"tokens"`
	}
	special := make(map[string]tokens)
	name := func(id int) string {
		text := g.tokens[id]
		special[text] = tokens{text, []int{id}, []string{text}}
		return text
	}
	around := func(sequence string, typeID int) []piece {
		var out []piece
		if g.addBOS {
			out = append(out, piece{"SpecialToken": {name(g.bos), typeID}})
		}
		out = append(out, piece{"Sequence": {sequence, typeID}})
		if g.addEOS {
			out = append(out, piece{"SpecialToken": {name(g.eos), typeID}})
		}
		return out
	}
	single := around("A", 0)
	return json.Marshal(map[string]any{
		"type": "TemplateProcessing", "single": single, "pair": append(around("A", 0), around("B", 1)...), "special_tokens": special,
	})
}

// merges reads the merges, each two tokens with a space between them.
func (g *ggufTokens) merges(meta Metadata) ([][2]string, error) {
	lines, err := meta.Strings(keyMerges)
	if err != nil {
		return nil, err
	}
	merges := make([][2]string, len(lines))
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") || !utf8.ValidString(line) {
			return nil, fmt.Errorf("%s: merge %d is %q, not two tokens and a space between them", keyMerges, i, shortText([]byte(line)))
		}
		merges[i] = [2]string{left, right}
	}
	return merges, nil
}

// flags reads whether sequences begin and end with a token; the arguments are
// what holds where the file does not say.
func (g *ggufTokens) flags(meta Metadata, bos, eos bool) error {
	g.addBOS, g.addEOS = bos && g.bos >= 0, eos && g.eos >= 0
	var err error
	if meta.Has(keyAddBOS) {
		if g.addBOS, err = meta.Bool(keyAddBOS); err != nil {
			return err
		}
	}
	if meta.Has(keyAddEOS) {
		g.addEOS, err = meta.Bool(keyAddEOS)
	}
	return err
}
