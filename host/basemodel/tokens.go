package basemodel

import (
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// Tokens are tokens that a model gets beside its own.
type Tokens struct {
	Add     []string
	Special bool // decoding can leave them out
}

// addTokens extends the tokenizer, and the Graph where its tables have no rows to
// spare: many models have more of them than tokens.
func (m *Model) addTokens(t *Tokens) error {
	text, err := m.Text()
	if err != nil {
		return err
	}
	m.Known = text.Tokenizer.VocabSize()
	if len(t.Add) == 0 {
		return nil
	}
	if text.Tokenizer, err = text.Tokenizer.WithTokens(t.Add, t.Special); err != nil {
		return fault.New(fault.BadInput, "tokens.add: %w", err)
	}
	if text.Config, err = text.Config.AddTokens(text.Tokenizer, t.Add); err != nil {
		return fault.New(fault.InvalidModel, "tokenizer_config.json: %w", err)
	}
	if m.Grown = max(0, text.Tokenizer.VocabSize()-m.Graph.IDs()); m.Grown > 0 {
		if _, part := m.Graph.Notes[graph.PartNote]; part {
			return fault.New(fault.Unsupported, "%s: the tables of a language model inside of another cannot grow for new tokens", m.Architecture)
		}
		if m.Graph, err = adapt.Grow(m.Graph, m.Grown, m.Known); err != nil {
			return fault.New(fault.Unsupported, "%s: %w", m.Architecture, err)
		}
	}
	m.text = text
	return nil
}
