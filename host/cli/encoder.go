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

// chatConfig is what the model's chat templates need beside their source.
func chatConfig(text *basemodel.Text, now func() time.Time) chat.Config {
	return chat.Config{SpecialTokens: text.Special, Now: now}
}

// newEncoder makes documents of text for a model.
func newEncoder(m *basemodel.Model, text *basemodel.Text, now func() time.Time) (*data.Encoder, error) {
	template, err := data.ChooseTemplate("", text.Templates, chatConfig(text, now))
	if err != nil {
		return nil, err
	}
	return &data.Encoder{
		Tokenizer: text.Tokenizer, EOS: text.EOS, Vocabulary: m.Graph.Vocabulary(), Template: template,
	}, nil
}

// encode prepares the session's encoder.
func (s *session) encode() error {
	var err error
	s.encoder, err = newEncoder(s.model, s.text, trainingDay)
	return err
}

// template is the chat template that a data block names.
func (s *session) template(setting string) (data.Template, error) {
	return data.ChooseTemplate(setting, s.text.Templates, chatConfig(s.text, trainingDay))
}
