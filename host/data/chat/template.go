package chat

import (
	"context"
	"strings"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

// Config is what a template needs beside its source. The zero value is ready to
// use.
type Config struct {
	// Name stands in errors before the line; "chat template" by default.
	Name string
	// SpecialTokens are the tokenizer's named tokens: bos_token, eos_token,
	// unk_token, sep_token, pad_token, cls_token, mask_token. Those that the
	// tokenizer does not have are left out.
	SpecialTokens map[string]string
	// Now tells the time to templates that write the date; time.Now by
	// default. For a run that can be repeated, let it stand still.
	Now jinja.Clock
	// Limits bound each rendering; package jinja's defaults otherwise.
	Limits jinja.Limits
}

// A Template is a model's chat template. Any number of goroutines may use it at
// once.
type Template struct {
	template *jinja.Template
	tokens   map[string]string
}

// New reads a chat template. Errors are [*jinja.Error]s, with line and reason.
func New(source string, config Config) (*Template, error) {
	name := config.Name
	if name == "" {
		name = "chat template"
	}
	t, err := jinja.Parse(name, source, jinja.Options{Limits: config.Limits, Now: config.Now})
	if err != nil {
		return nil, err
	}
	tokens := make(map[string]string, len(config.SpecialTokens))
	for name, token := range config.SpecialTokens {
		tokens[name] = token
	}
	return &Template{template: t, tokens: tokens}, nil
}

// Source is the template's source.
func (t *Template) Source() string { return t.template.Source() }

// HasGenerationBlocks reports whether the template says itself, by
// {% generation %} blocks, what the assistant writes.
func (t *Template) HasGenerationBlocks() bool { return t.template.HasGenerationBlocks() }

// Options say how a conversation is rendered.
type Options struct {
	// AddGenerationPrompt asks for the beginning of the assistant's next turn
	// at the end.
	AddGenerationPrompt bool
	// ContinueFinal leaves the last message open, for the model to go on with
	// it: the text ends with what this field of the message holds. Mostly
	// "content"; "" for closed messages.
	ContinueFinal string
}

// Render is the text of a conversation. What the template raises, for roles that do
// not alternate for instance, is a [*jinja.Error] of kind jinja.Raised.
func (t *Template) Render(ctx context.Context, c Conversation, options Options) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	messages := normalized(c.Messages)
	if options.ContinueFinal != "" {
		if options.AddGenerationPrompt {
			return "", fault.New(fault.BadInput, "a text cannot both go on with the last message and begin another")
		}
		return t.continued(ctx, &c, messages, options.ContinueFinal)
	}
	result, err := t.render(ctx, &c, messages, options.AddGenerationPrompt)
	return result.Text, err
}

// render renders messages that are normalized.
func (t *Template) render(ctx context.Context, c *Conversation, messages []*jinja.Dict, prompt bool) (jinja.Result, error) {
	return t.template.Render(ctx, c.variables(t.tokens, messages, prompt))
}

// openEnd marks the end of the message to go on with. Templates may strip its
// space, which tells that they strip what they are given.
const openEnd = "CONTINUE_HERE_7f3a "

// continued renders with the last message left open, as transformers'
// continue_final_message does: the field gets a mark at its end, and the text is
// cut off there.
func (t *Template) continued(ctx context.Context, c *Conversation, messages []*jinja.Dict, field string) (string, error) {
	last := messages[len(messages)-1].Clone()
	value, ok := last.Get(field)
	if !ok {
		return "", fault.New(fault.BadInput, "%s has no %q to go on with", describe(len(messages)-1, last), field)
	}
	fields := []string{field}
	if isReasoning(field) {
		// It is there under several names, of which the template reads one.
		fields = reasoningFields[:]
	}
	read := false
	for _, name := range fields {
		read = read || strings.Contains(t.Source(), name)
	}
	if !read {
		return "", fault.New(fault.BadInput, "the chat template does not read the field %q of a message, so a text cannot go on with it", field)
	}
	said, marked, ok := mark(value)
	if !ok {
		return "", fault.New(fault.BadInput, "the %q of %s is no text to go on with", field, describe(len(messages)-1, last))
	}
	for _, name := range fields {
		if other, ok := last.Get(name); ok && (name == field || sameText(other, value)) {
			last.Set(name, marked)
		}
	}
	open := append(append([]*jinja.Dict{}, messages[:len(messages)-1]...), last)
	result, err := t.render(ctx, c, open, false)
	if err != nil {
		return "", err
	}
	return cutOpen(result.Text, said)
}

func sameText(a, b jinja.Value) bool {
	x, ok := a.(jinja.String)
	y, also := b.(jinja.String)
	return ok && also && x.Text == y.Text
}

// mark puts the mark behind a text, or behind the last text of a list of parts.
func mark(value jinja.Value) (said string, marked jinja.Value, ok bool) {
	switch v := value.(type) {
	case jinja.String:
		return v.Text, jinja.String{Text: v.Text + openEnd}, true
	case *jinja.List:
		items := append([]jinja.Value{}, v.Items()...)
		for i := len(items) - 1; i >= 0; i-- {
			part, isDict := items[i].(*jinja.Dict)
			if !isDict {
				continue
			}
			if text, has := part.Get("text"); has {
				s, isText := text.(jinja.String)
				part = part.Clone()
				part.Set("text", jinja.String{Text: s.Text + openEnd})
				items[i] = part
				return s.Text, jinja.NewList(items...), isText
			}
		}
	}
	return "", nil, false
}

// cutOpen is the text up to the mark.
func cutOpen(text, said string) (string, error) {
	bare := strings.TrimSuffix(openEnd, " ")
	at := strings.LastIndex(text, bare)
	if at < 0 || !strings.Contains(text, strings.TrimSpace(said)) {
		return "", fault.New(fault.BadInput, "the chat template does not write the last message as it is given, so a text cannot go on with it")
	}
	if strings.HasPrefix(text[at:], openEnd) {
		return text[:at], nil
	}
	return strings.TrimRight(text[:at], " \t\n\r\v\f"), nil
}
