package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/pattern"
	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// maxParts bounds how deeply sequences are nested, and how long they are.
const maxParts = 32

// maxContent bounds the text that a component puts in the place of another.
const maxContent = 256

// part is a component of a tokenizer.json: a type, and whatever settings any
// type has. Which are there is for each type to check.
type part struct {
	Type string `json:"type"`

	Normalizers   []json.RawMessage `json:"normalizers"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Processors    []json.RawMessage `json:"processors"`
	Decoders      []json.RawMessage `json:"decoders"`

	Pattern *struct {
		String *string
		Regex  *string
	} `json:"pattern"`
	Behavior behavior `json:"behavior"`
	Invert   bool     `json:"invert"`
	Content  *string  `json:"content"`

	Prepend    string `json:"prepend"`
	StripLeft  bool   `json:"strip_left"`
	StripRight bool   `json:"strip_right"`

	AddPrefixSpace   *bool          `json:"add_prefix_space"`
	UseRegex         *bool          `json:"use_regex"`
	IndividualDigits bool           `json:"individual_digits"`
	Replacement      string         `json:"replacement"`
	PrependScheme    *prependScheme `json:"prepend_scheme"`
	Split            *bool          `json:"split"`
	Start            int            `json:"start"`
	Stop             int            `json:"stop"`

	Single        []templatePiece           `json:"single"`
	SpecialTokens map[string]templateTokens `json:"special_tokens"`
	Sep           *json.RawMessage          `json:"sep"`
	Cls           *json.RawMessage          `json:"cls"`
}

// readPart reads a component; it is nil for none.
func readPart(text json.RawMessage, depth int) (*part, error) {
	if text == nil || string(text) == "null" {
		return nil, nil
	}
	if depth > maxParts {
		return nil, fmt.Errorf("sequences nested more than %d deep", maxParts)
	}
	var p part
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, err
	}
	if p.Type == "" {
		return nil, errors.New("it names no type")
	}
	if p.Content != nil && len(*p.Content) > maxContent || len(p.Prepend) > maxContent {
		return nil, fmt.Errorf("%s puts in more than %d bytes", p.Type, maxContent)
	}
	for _, list := range [][]json.RawMessage{p.Normalizers, p.PreTokenizers, p.Processors, p.Decoders} {
		if len(list) > maxParts {
			return nil, fmt.Errorf("a sequence of %d; the limit is %d", len(list), maxParts)
		}
	}
	return &p, nil
}

func unsupported(kind string) error {
	return fmt.Errorf("type %q is %w", shortText([]byte(kind)), ErrUnsupported)
}

func (p *part) matching() (pattern.Pattern, error) {
	switch {
	case p.Pattern == nil:
		return nil, fmt.Errorf("%s lacks its pattern", p.Type)
	case p.Pattern.String != nil:
		return pattern.Literal(*p.Pattern.String)
	case p.Pattern.Regex != nil:
		return pattern.Compile(*p.Pattern.Regex)
	}
	return nil, fmt.Errorf("the pattern of %s is neither String nor Regex", p.Type)
}

func readNormalizer(text json.RawMessage, depth int) (normalizer, error) {
	p, err := readPart(text, depth)
	if p == nil || err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		var all normalizers
		for i, text := range p.Normalizers {
			n, err := readNormalizer(text, depth+1)
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", i, err)
			}
			if n != nil {
				all = append(all, n)
			}
		}
		if len(all) == 0 {
			return nil, nil
		}
		return all, nil
	case "NFC":
		return form(ucd.NFC), nil
	case "NFD":
		return form(ucd.NFD), nil
	case "Replace":
		if p.Content == nil {
			return nil, fmt.Errorf("%s lacks its content", p.Type)
		}
		matching, err := p.matching()
		if err != nil {
			return nil, err
		}
		return replace{matching, *p.Content}, nil
	case "Prepend":
		return prepend(p.Prepend), nil
	case "Strip":
		return strip{p.StripLeft, p.StripRight}, nil
	case "ByteLevel":
		return byteChars{}, nil
	}
	return nil, unsupported(p.Type)
}

// readPreTokenizer returns the stages that cut text into words. A ByteLevel
// that comes last writes nothing: words are bytes then, which byteLevel says.
func readPreTokenizer(text json.RawMessage) (stages []preTokenizer, byteLevel bool, err error) {
	parts, err := flatten(nil, text, 0)
	if err != nil {
		return nil, false, err
	}
	for i, p := range parts {
		more, err := p.preTokenizers()
		if err != nil {
			return nil, false, fmt.Errorf("part %d: %w", i, err)
		}
		stages = append(stages, more...)
		if p.Type == "ByteLevel" {
			if i == len(parts)-1 {
				return stages, true, nil
			}
			stages = append(stages, normalized{byteChars{}})
		}
	}
	return stages, false, nil
}

// flatten lists the pre-tokenizers of sequences within sequences.
func flatten(dst []*part, text json.RawMessage, depth int) ([]*part, error) {
	p, err := readPart(text, depth)
	if p == nil || err != nil {
		return dst, err
	}
	if p.Type != "Sequence" {
		if len(dst) == maxParts {
			return nil, fmt.Errorf("more than %d parts", maxParts)
		}
		return append(dst, p), nil
	}
	for _, text := range p.PreTokenizers {
		if dst, err = flatten(dst, text, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// preTokenizers returns the stages of one part, but for the writing of bytes
// as characters.
func (p *part) preTokenizers() ([]preTokenizer, error) {
	switch p.Type {
	case "ByteLevel":
		return p.byteLevelStages()
	case "Split":
		matching, err := p.matching()
		if err != nil {
			return nil, err
		}
		if scanner, ok := matching.(pattern.Scanner); ok &&
			(p.Behavior == isolated || p.Behavior == removed && p.Invert) {
			return []preTokenizer{scan{scanner}}, nil
		}
		return p.splitting(matching, p.Behavior, p.Invert)
	case "Digits":
		how := contiguous
		if p.IndividualDigits {
			how = isolated
		}
		return p.splitting(pattern.Class(ucd.IsNumeric), how, false)
	case "Punctuation":
		if p.Behavior == "" {
			p.Behavior = isolated
		}
		return p.splitting(pattern.Class(ucd.IsPunctuation), p.Behavior, false)
	case "Whitespace":
		return p.splitting(wordRuns{}, removed, true)
	case "WhitespaceSplit":
		return p.splitting(pattern.Class(ucd.IsSpace), removed, false)
	case "Metaspace":
		m, err := p.metaspace()
		return []preTokenizer{m}, err
	}
	return nil, unsupported(p.Type)
}

func (p *part) splitting(matching pattern.Pattern, how behavior, invert bool) ([]preTokenizer, error) {
	if !slices.Contains([]behavior{removed, isolated, mergedWithPrevious, mergedWithNext, contiguous}, how) {
		return nil, fmt.Errorf("%s has the behavior %q, which is none", p.Type, shortText([]byte(how)))
	}
	return []preTokenizer{split{matching, how, invert}}, nil
}

func (p *part) byteLevelStages() ([]preTokenizer, error) {
	if p.AddPrefixSpace == nil {
		return nil, fmt.Errorf("%s lacks its add_prefix_space", p.Type)
	}
	var stages []preTokenizer
	if *p.AddPrefixSpace {
		stages = append(stages, prefixSpace{})
	}
	if p.UseRegex == nil || *p.UseRegex {
		gpt2, err := pattern.Compile(pattern.GPT2)
		if err != nil {
			return nil, err
		}
		if scanner, ok := gpt2.(pattern.Scanner); ok {
			stages = append(stages, scan{scanner})
		}
	}
	return stages, nil
}

func (p *part) metaspace() (metaspace, error) {
	m := metaspace{replacement: p.Replacement, scheme: prependAlways, split: p.Split == nil || *p.Split}
	if utf8.RuneCountInString(m.replacement) != 1 {
		return m, fmt.Errorf("the replacement %q of Metaspace is not one character", shortText([]byte(m.replacement)))
	}
	if p.PrependScheme != nil {
		m.scheme = *p.PrependScheme
	}
	switch m.scheme {
	case prependAlways, prependFirst, prependNever:
	default:
		return m, fmt.Errorf("the prepend_scheme %q of Metaspace is none", shortText([]byte(m.scheme)))
	}
	if p.AddPrefixSpace != nil && !*p.AddPrefixSpace {
		if p.PrependScheme != nil && m.scheme != prependNever {
			return m, fmt.Errorf("%s has add_prefix_space false and prepend_scheme %q", p.Type, m.scheme)
		}
		m.scheme = prependNever
	}
	return m, nil
}
