package train

import (
	"encoding/json"
	"fmt"

	"github.com/honeml/hone/host/data/tokenizer/internal/bytelevel"
	"github.com/honeml/hone/host/data/tokenizer/internal/layout"
	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
)

// vocabulary is the tokens so far: the special ones, the bytes in the order of
// their characters, and what was merged.
type vocabulary struct {
	tokens  []string // by id
	ids     map[string]int32
	bytes   [256]int32
	merges  [][2]string
	special int
}

func newVocabulary(opts Options) (*vocabulary, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	v := &vocabulary{ids: make(map[string]int32), special: len(opts.Special)}
	for _, token := range opts.Special {
		v.add(token)
	}
	for char := rune(0); char < 0x200; char++ {
		if b, ok := bytelevel.Byte(char); ok {
			v.bytes[b] = v.add(string(char))
		}
	}
	return v, nil
}

// add returns the id of a token, which may be there already: a special token
// of one character, or one that two merges make.
func (v *vocabulary) add(token string) int32 {
	if id, ok := v.ids[token]; ok {
		return id
	}
	id := int32(len(v.tokens))
	v.tokens = append(v.tokens, token)
	v.ids[token] = id
	return id
}

func (v *vocabulary) merge(p pair) int32 {
	left, right := v.tokens[p.left], v.tokens[p.right]
	v.merges = append(v.merges, [2]string{left, right})
	return v.add(left + right)
}

func (v *vocabulary) marshal(bos string) ([]byte, error) {
	l := layout.Layout{
		Vocab:   v.tokens,
		Merges:  v.merges,
		Decoder: json.RawMessage(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
	}
	for id, token := range v.tokens[:v.special] {
		l.Added = append(l.Added, layout.Added{ID: int32(id), Content: token, Special: true})
	}
	split, err := json.Marshal(pattern.Llama3)
	if err != nil {
		return nil, err
	}
	l.PreTokenizer = json.RawMessage(fmt.Sprintf(`{"type":"Sequence","pretokenizers":[`+
		`{"type":"Split","pattern":{"Regex":%s},"behavior":"Isolated","invert":false},`+
		`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}`, split))
	if bos != "" {
		name, err := json.Marshal(bos)
		if err != nil {
			return nil, err
		}
		l.PostProcessor = json.RawMessage(fmt.Sprintf(`{"type":"TemplateProcessing",`+
			`"single":[{"SpecialToken":{"id":%[1]s,"type_id":0}},{"Sequence":{"id":"A","type_id":0}}],`+
			`"pair":[{"SpecialToken":{"id":%[1]s,"type_id":0}},{"Sequence":{"id":"A","type_id":0}},`+
			`{"SpecialToken":{"id":%[1]s,"type_id":1}},{"Sequence":{"id":"B","type_id":1}}],`+
			`"special_tokens":{%[1]s:{"id":%[1]s,"ids":[%[2]d],"tokens":[%[1]s]}}}`, name, v.ids[bos]))
	}
	return l.Marshal()
}
