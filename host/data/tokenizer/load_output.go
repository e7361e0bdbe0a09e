package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// templatePart is what a post-processor puts into a sequence of ids: the
// encoded text, or tokens.
type templatePart struct {
	sequence bool
	ids      []int32
}

// templatePiece is an element of a template in the file: one of the two.
type templatePiece struct {
	Sequence *struct {
		ID string `json:"id"`
	}
	SpecialToken *struct {
		ID string `json:"id"`
	}
}

// templateTokens are the tokens that a name in a template stands for.
type templateTokens struct {
	IDs []int64 `json:"ids"`
}

// maxTemplate bounds the ids that a template adds.
const maxTemplate = 1024

// readPostProcessor returns the template by which single sequences get their
// special tokens; nil for none. known says whether an id has a token.
func readPostProcessor(text json.RawMessage, known func(int32) bool) ([]templatePart, error) {
	return readProcessor(text, known, 0)
}

func readProcessor(text json.RawMessage, known func(int32) bool, depth int) ([]templatePart, error) {
	p, err := readPart(text, depth)
	if p == nil || err != nil {
		return nil, err
	}
	switch p.Type {
	case "ByteLevel":
		return nil, nil // it would only trim offsets
	case "TemplateProcessing":
		return p.template(known)
	case "BertProcessing", "RobertaProcessing":
		return p.around(known)
	case "Sequence":
		var template []templatePart
		for i, text := range p.Processors {
			more, err := readProcessor(text, known, depth+1)
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", i, err)
			}
			if template != nil && more != nil {
				return nil, fmt.Errorf("two templates in a sequence are %w", ErrUnsupported)
			}
			if more != nil {
				template = more
			}
		}
		return template, nil
	}
	return nil, unsupported(p.Type)
}

func (p *part) template(known func(int32) bool) ([]templatePart, error) {
	template := []templatePart{}
	count := 0
	for i, piece := range p.Single {
		switch {
		case piece.Sequence != nil && piece.Sequence.ID == "A":
			template = append(template, templatePart{sequence: true})
			count += maxTemplate / 4 // more than four copies are no template
		case piece.SpecialToken != nil:
			name := piece.SpecialToken.ID
			tokens, ok := p.SpecialTokens[name]
			if !ok {
				return nil, fmt.Errorf("the template names %q, which is not among its special_tokens", shortText([]byte(name)))
			}
			ids, err := tokenIDs(name, tokens.IDs, known)
			if err != nil {
				return nil, err
			}
			template = append(template, templatePart{ids: ids})
			count += len(ids)
		default:
			return nil, fmt.Errorf("piece %d of the template is neither the sequence A nor a special token", i)
		}
		if count > maxTemplate {
			return nil, fmt.Errorf("the template adds more than %d tokens", maxTemplate)
		}
	}
	return template, nil
}

func tokenIDs(name string, ids []int64, known func(int32) bool) ([]int32, error) {
	out := make([]int32, 0, len(ids))
	for _, id := range ids {
		if id < 0 || id > maxID || !known(int32(id)) {
			return nil, fmt.Errorf("%q is id %d, which no token has", shortText([]byte(name)), id)
		}
		out = append(out, int32(id))
	}
	return out, nil
}

// around reads the older form of a template: cls, the sequence, sep.
func (p *part) around(known func(int32) bool) ([]templatePart, error) {
	var template []templatePart
	for _, side := range []*json.RawMessage{p.Cls, p.Sep} {
		if side == nil {
			return nil, fmt.Errorf("%s lacks its cls or sep", p.Type)
		}
		var pair []json.RawMessage
		if err := json.Unmarshal(*side, &pair); err != nil {
			return nil, err
		}
		var name string
		var id int64
		if len(pair) != 2 {
			return nil, fmt.Errorf("cls and sep of %s are not pairs of a token and its id", p.Type)
		}
		if err := json.Unmarshal(pair[0], &name); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(pair[1], &id); err != nil {
			return nil, err
		}
		ids, err := tokenIDs(name, []int64{id}, known)
		if err != nil {
			return nil, err
		}
		template = append(template, templatePart{ids: ids})
		if len(template) == 1 {
			template = append(template, templatePart{sequence: true})
		}
	}
	return template, nil
}

// readDecoder returns the decoder; it is never nil.
func readDecoder(text json.RawMessage, depth int) (decoder, error) {
	p, err := readPart(text, depth)
	if err != nil {
		return nil, err
	}
	if p == nil {
		if depth > 0 {
			return nil, errors.New("it is null")
		}
		return spaced{}, nil
	}
	switch p.Type {
	case "Sequence":
		var all decoders
		for i, text := range p.Decoders {
			d, err := readDecoder(text, depth+1)
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", i, err)
			}
			all = append(all, d)
		}
		if len(all) == 1 {
			return all[0], nil
		}
		return all, nil
	case "ByteLevel":
		return byteLevelDecoder{}, nil
	case "ByteFallback":
		return byteFallbackDecoder{}, nil
	case "Fuse":
		return fuse{}, nil
	case "Replace":
		return p.replaceDecoder()
	case "Strip":
		return p.stripDecoder()
	case "Metaspace":
		m, err := p.metaspace()
		return metaspaceDecoder{m.replacement, m.scheme != prependNever}, err
	}
	return nil, unsupported(p.Type)
}

func (p *part) replaceDecoder() (decoder, error) {
	if p.Content == nil {
		return nil, fmt.Errorf("%s lacks its content", p.Type)
	}
	matching, err := p.matching()
	if err != nil {
		return nil, err
	}
	if p.Pattern.String != nil {
		return literalDecoder{*p.Pattern.String, *p.Content}, nil
	}
	return replaceDecoder{replace{matching, *p.Content}}, nil
}

func (p *part) stripDecoder() (decoder, error) {
	if p.Content == nil || utf8.RuneCountInString(*p.Content) != 1 {
		return nil, errors.New("the content of Strip is not one character")
	}
	if p.Start < 0 || p.Stop < 0 {
		return nil, fmt.Errorf("%s takes off %d and %d characters", p.Type, p.Start, p.Stop)
	}
	return stripDecoder{*p.Content, p.Start, p.Stop}, nil
}
