package tokenizer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/layout"
	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
)

// ggufPre is what a value of tokenizer.ggml.pre stands for: what the models'
// own tokenizer.json have.
type ggufPre struct {
	names        []string
	nfc          bool
	digits       bool     // each digit apart, before all else
	splits       []string // patterns; none for GPT-2's
	ignoreMerges bool
	addBOS       bool // where the file does not say
}

// ggufPres lists the values known. Others are refused: a file that another
// program runs with a pattern of its own may have a normalizer that only the
// model's tokenizer.json tells of.
var ggufPres = []ggufPre{
	{names: []string{"llama-bpe", "llama3", "llama-v3", "falcon3", "smaug-bpe"},
		splits: []string{pattern.Llama3}, ignoreMerges: true, addBOS: true},
	{names: []string{"qwen2"}, nfc: true, splits: []string{pattern.Qwen2}},
	{names: []string{"qwen35"}, nfc: true, splits: []string{pattern.Qwen35}},
	{names: []string{"smollm", "starcoder", "refact"}, digits: true},
	{names: []string{"gpt-2", "phi-2", "olmo"}},
	{names: []string{"tekken"}, splits: []string{pattern.Tekken}, ignoreMerges: true, addBOS: true},
	{names: []string{"gpt-4o", "llama4"}, splits: []string{pattern.GPT4o}, ignoreMerges: true},
	{names: []string{"deepseek-v3"}, splits: []string{
		`\p{N}{1,3}`,
		`[一-龥぀-ゟ゠-ヿ]+`,
		"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
			"| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	}},
}

func findGGUFPre(name string) (ggufPre, error) {
	var names []string
	for _, pre := range ggufPres {
		if slices.Contains(pre.names, name) {
			return pre, nil
		}
		names = append(names, pre.names...)
	}
	return ggufPre{}, fmt.Errorf("%s %q is %w (%s are); use the tokenizer.json of the model that the file was made from",
		keyPre, shortText([]byte(name)), ErrUnsupported, strings.Join(names, ", "))
}

// byteLevel describes a byte-level tokenizer.
func (g *ggufTokens) byteLevel(meta Metadata) (*layout.Layout, error) {
	if !meta.Has(keyPre) {
		return nil, fmt.Errorf("the file does not say how text is split into words (no %s); "+
			"convert the model again with a newer program, or use its tokenizer.json", keyPre)
	}
	name, err := meta.String(keyPre)
	if err != nil {
		return nil, err
	}
	pre, err := findGGUFPre(name)
	if err != nil {
		return nil, err
	}
	if err := g.flags(meta, pre.addBOS, false); err != nil {
		return nil, err
	}
	l := &layout.Layout{
		IgnoreMerges: pre.ignoreMerges,
		Decoder:      json.RawMessage(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
	}
	if pre.nfc {
		l.Normalizer = json.RawMessage(`{"type":"NFC"}`)
	}
	if l.Merges, err = g.merges(meta); err != nil {
		return nil, err
	}
	l.PreTokenizer, err = pre.preTokenizer()
	return l, err
}

func (pre *ggufPre) preTokenizer() (json.RawMessage, error) {
	var parts []any
	if pre.digits {
		parts = append(parts, map[string]any{"type": "Digits", "individual_digits": true})
	}
	for _, expr := range pre.splits {
		parts = append(parts, map[string]any{
			"type": "Split", "pattern": map[string]string{"Regex": expr}, "behavior": "Isolated", "invert": false,
		})
	}
	parts = append(parts, map[string]any{
		"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": len(pre.splits) == 0,
	})
	return json.Marshal(map[string]any{"type": "Sequence", "pretokenizers": parts})
}

// sentencePiece describes a tokenizer that SentencePiece trained: characters,
// spaces as ▁, and bytes for unknown characters.
func (g *ggufTokens) sentencePiece(meta Metadata) (*layout.Layout, error) {
	if err := g.flags(meta, true, false); err != nil {
		return nil, err
	}
	prefix := true
	if meta.Has(keySpacePrefix) {
		var err error
		if prefix, err = meta.Bool(keySpacePrefix); err != nil {
			return nil, err
		}
	}
	l := &layout.Layout{ByteFallback: true, FuseUnknown: true}
	const space = `{"type":"Replace","pattern":{"String":" "},"content":"▁"}`
	const words = `{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}`
	if prefix {
		l.Normalizer = json.RawMessage(`{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},` + space + `]}`)
		l.Decoder = json.RawMessage(`{"type":"Sequence","decoders":[` + words + `,{"type":"Strip","content":" ","start":1,"stop":0}]}`)
	} else {
		l.Normalizer = json.RawMessage(space)
		l.Decoder = json.RawMessage(`{"type":"Sequence","decoders":[` + words + `]}`)
	}
	if err := g.respell(); err != nil {
		return nil, err
	}
	if g.unknown < 0 {
		g.unknown = slices.Index(g.types[:g.used], typeUnknown)
	}
	if g.unknown >= 0 {
		l.Unknown = g.tokens[g.unknown]
	}
	var err error
	if meta.Has(keyMerges) {
		l.Merges, err = g.merges(meta)
	} else {
		l.Merges, err = g.mergesByScore(meta)
	}
	return l, err
}

// respell writes the spaces of tokens as ▁, as the model's own files have them.
func (g *ggufTokens) respell() error {
	ids := make(map[string]int, g.used)
	for id, text := range g.tokens[:g.used] {
		ids[text] = id
	}
	for id, text := range g.tokens[:g.used] {
		blank := strings.Trim(text, " ") == ""
		if !strings.Contains(text, " ") || g.types[id] != typeNormal && !blank {
			continue
		}
		text = strings.ReplaceAll(text, " ", "▁")
		if same, ok := ids[text]; ok {
			return fmt.Errorf("tokens %d and %d have the same text, %q", same, id, shortText([]byte(text)))
		}
		ids[text], g.tokens[id] = id, text
	}
	return nil
}

// maxScored bounds the length of tokens that merges are made for, in bytes.
const maxScored = 1024

// scoredMerge is a pair of tokens whose concatenation is one.
type scoredMerge struct {
	text, split int     // the token, and the length of its left part in bytes
	left, right int     // lengths in characters
	score       float64 // of the token
}

// mergesByScore returns the merges that do what SentencePiece does with
// scores: of all pairs whose concatenation is a token, that of the highest
// score is joined first (Kudo and Richardson 2018, "SentencePiece"). Tokens
// that a user defined go before all others. Of equal scores, the pair with the
// longer left part goes first.
func (g *ggufTokens) mergesByScore(meta Metadata) ([][2]string, error) {
	score, err := g.scores(meta)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int, g.used)
	for id, text := range g.tokens[:g.used] {
		if g.types[id] == typeNormal || g.types[id] == typeUserDefined {
			ids[text] = id
		}
	}
	var found []scoredMerge
	for id, text := range g.tokens[:g.used] {
		if _, ok := ids[text]; !ok {
			continue
		}
		if len(text) > maxScored {
			return nil, fmt.Errorf("token %d has %d bytes; the limit is %d", id, len(text), maxScored)
		}
		start, length := len(found), utf8.RuneCountInString(text)
		left, rank := 0, score(id)
		if g.types[id] == typeUserDefined {
			rank = math.Inf(1)
		}
		for split := range text {
			if split > 0 {
				left++
				_, okLeft := ids[text[:split]]
				if _, okRight := ids[text[split:]]; okLeft && okRight {
					found = append(found, scoredMerge{id, split, left, length - left, rank})
				}
			}
		}
		slices.SortFunc(found[start:], func(a, b scoredMerge) int {
			return cmp.Or(ids[text[:a.split]]-ids[text[:b.split]], ids[text[a.split:]]-ids[text[b.split:]])
		})
	}
	slices.SortStableFunc(found, func(a, b scoredMerge) int {
		return cmp.Or(cmp.Compare(b.score, a.score), b.left-a.left, b.right-a.right)
	})
	merges := make([][2]string, len(found))
	for i, m := range found {
		merges[i] = [2]string{g.tokens[m.text][:m.split], g.tokens[m.text][m.split:]}
	}
	return merges, nil
}

// scores returns the order of merging. Gemma's is that of the ids; its scores
// do not follow it.
func (g *ggufTokens) scores(meta Metadata) (func(id int) float64, error) {
	if meta.Has(keyArchitecture) {
		name, err := meta.String(keyArchitecture)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(name, "gemma") {
			return func(id int) float64 { return -float64(id) }, nil
		}
	}
	scores, err := meta.Floats(keyScores)
	if err != nil {
		return nil, err
	}
	if len(scores) != len(g.tokens) {
		return nil, fmt.Errorf("%s has %d entries for %d tokens", keyScores, len(scores), len(g.tokens))
	}
	return func(id int) float64 { return scores[id] }, nil
}
