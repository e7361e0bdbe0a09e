package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// An AddedToken is a token that is found in the text itself, before it is cut
// into words.
type AddedToken struct {
	ID      int32
	Content string
	// SingleWord: it counts only where no word character stands beside it.
	SingleWord bool
	// LStrip and RStrip: it takes in the white space before or after it.
	LStrip, RStrip bool
	// Normalized: it is normalised itself, and looked for in normalised text.
	Normalized bool
	// Special: decoding can leave it out, and encoding can be told to take it
	// for ordinary text.
	Special bool
}

// maxAdded bounds an added token's text, in bytes: the time that finding one
// takes can grow with it.
const maxAdded = 512

// maxAddedTotal bounds the text of all added tokens together.
const maxAddedTotal = 1 << 22

// addedTokens are the added tokens of a tokenizer. The library gives them ids
// by their texts: that of the model's vocabulary, else the next free one. What
// id the file says is not asked.
type addedTokens struct {
	list    []AddedToken // by ascending id
	index   map[int32]int
	ids     map[string]int32
	special map[string]bool
	// form is the normalised text of tokens that normalising changes, by id.
	// The library decodes these as this text.
	form map[int32]string

	raw, normalized *matcher // values are indices in list
}

// vocabulary is what addedTokens asks of the model.
type vocabulary interface {
	tokenID(text string) (int32, bool)
	size() int
}

// newAddedTokens enters tokens in the order of the file. It returns warnings
// on tokens whose id is not the one that the file says.
func newAddedTokens(tokens []AddedToken, model vocabulary, norm normalizer) (*addedTokens, []string, error) {
	a := &addedTokens{
		index:      make(map[int32]int),
		ids:        make(map[string]int32),
		special:    make(map[string]bool),
		form:       make(map[int32]string),
		raw:        newMatcher(),
		normalized: newMatcher(),
	}
	var warnings []string
	total := 0
	next := int32(model.size())
	for _, token := range tokens {
		if token.Content == "" {
			continue
		}
		if len(token.Content) > maxAdded {
			return nil, nil, fmt.Errorf("added token %q… has %d bytes; the limit is %d",
				token.Content[:20], len(token.Content), maxAdded)
		}
		if total += len(token.Content); total > maxAddedTotal {
			return nil, nil, fmt.Errorf("added tokens of more than %d bytes together", maxAddedTotal)
		}
		said := token.ID
		var known bool
		if token.ID, known = a.ids[token.Content]; !known {
			if token.ID, known = model.tokenID(token.Content); !known {
				token.ID = next
				next++
			}
		}
		if token.ID != said {
			warnings = append(warnings, fmt.Sprintf("added token %q has id %d in the file, but counts as %d as its text decides",
				token.Content, said, token.ID))
		}
		if err := a.enter(token, norm); err != nil {
			return nil, nil, err
		}
	}
	return a, warnings, a.buildMatchers()
}

func (a *addedTokens) enter(token AddedToken, norm normalizer) error {
	a.ids[token.Content] = token.ID
	if token.Special {
		a.special[token.Content] = true
	}
	if token.Normalized && norm != nil {
		s, err := norm.normalize(segment{text: token.Content})
		if err != nil {
			return fmt.Errorf("added token %q: %w", token.Content, err)
		}
		if s.text != token.Content {
			a.form[token.ID] = s.text
		}
	}
	if i, ok := a.index[token.ID]; ok {
		a.list[i] = token
		return nil
	}
	a.index[token.ID] = len(a.list)
	a.list = append(a.list, token)
	return nil
}

func (a *addedTokens) buildMatchers() error {
	slices.SortFunc(a.list, func(x, y AddedToken) int { return int(x.ID) - int(y.ID) })
	for i, token := range a.list {
		a.index[token.ID] = i
		m, text := a.raw, token.Content
		if token.Normalized {
			m = a.normalized
			if form, ok := a.form[token.ID]; ok {
				text = form
			}
		}
		if text == "" {
			continue
		}
		if len(text) > 4*maxAdded {
			return fmt.Errorf("added token %q has %d bytes when normalised; the limit is %d", token.Content, len(text), 4*maxAdded)
		}
		if same := m.add(text, int32(i)); same >= 0 {
			return fmt.Errorf("added tokens %q and %q are the same when normalised", a.list[same].Content, token.Content)
		}
	}
	return nil
}

// text returns the text of an added token as decoding has it.
func (a *addedTokens) text(id int32) (string, bool) {
	i, ok := a.index[id]
	if !ok {
		return "", false
	}
	if form, ok := a.form[id]; ok {
		return form, true
	}
	return a.list[i].Content, true
}

// extract passes the added tokens that m finds in text to token, and what lies
// between them to rest. skip says of a special token at a place that it is
// ordinary text.
func (a *addedTokens) extract(
	m *matcher, text string, skip func(start, end int) bool,
	token func(id int32, start, end int) error, rest func(start, end int) error,
) error {
	done := 0 // text[:done] is passed on
	for at := 0; ; {
		i, start, end := m.find(text, at)
		if i < 0 {
			break
		}
		at = end
		t := &a.list[i]
		if a.special[t.Content] && skip(start, end) || t.SingleWord && touchesWord(text, start, end) {
			continue
		}
		if t.LStrip {
			start = max(done, len(strings.TrimRightFunc(text[:start], ucd.IsSpace)))
		}
		if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], ucd.IsSpace))
		}
		if done < start {
			if err := rest(done, start); err != nil {
				return err
			}
		}
		if err := token(t.ID, start, end); err != nil {
			return err
		}
		done = end
	}
	if done < len(text) {
		return rest(done, len(text))
	}
	return nil
}

// touchesWord reports whether a word character stands beside text[start:end].
func touchesWord(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return start > 0 && ucd.IsWord(before) || end < len(text) && ucd.IsWord(after)
}
