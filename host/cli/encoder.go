package cli

import (
	"time"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/data/chat"
)

// The day that templates see which write the date, so that a run's data is the
// same on whichever day it starts or is resumed. It is what Llama 3.1's own
// template takes where there is no clock.
func trainingDay() time.Time { return time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC) }

// newTemplate reads a template's text for the model.
func newTemplate(text *basemodel.Text, source string, now func() time.Time) (data.Template, error) {
	return chat.New(source, chat.Config{SpecialTokens: text.Special, Now: now})
}

// newEncoder makes documents of text for a model.
func newEncoder(m *basemodel.Model, text *basemodel.Text, now func() time.Time) (*data.Encoder, error) {
	e := &data.Encoder{Tokenizer: text.Tokenizer, EOS: text.EOS, Vocabulary: m.Graph.Vocabulary()}
	if !text.Templates.Found() {
		return e, nil
	}
	source, err := text.Templates.Choose("", false)
	if err != nil {
		return nil, err
	}
	e.Template, err = newTemplate(text, source, now)
	return e, err
}

// encode prepares the session's encoder.
func (s *session) encode() error {
	var err error
	s.encoder, err = newEncoder(s.model, s.text, trainingDay)
	return err
}

// template is the chat template that a data block names by its text.
func (s *session) template(source string) (data.Template, error) {
	return newTemplate(s.text, source, trainingDay)
}
