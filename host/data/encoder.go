package data

import (
	"context"
	"errors"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/host/data/tokenizer"
	"github.com/honeml/hone/sdk/fault"
)

// A Tokenizer turns text into ids; [*tokenizer.Tokenizer] does.
type Tokenizer interface {
	Encode(text string, opts tokenizer.Options) (tokenizer.Encoding, error)
	AppendIDs(dst []int32, text string, opts tokenizer.Options) ([]int32, error)
	TokenText(id int32) (string, bool)
}

// NoToken is the id where a model has no such token.
const NoToken = -1

// An Encoder turns the rows of files into a model's documents.
type Encoder struct {
	Tokenizer Tokenizer
	// EOS ends a sequence; NoToken if the model has no such token.
	EOS int32
	// Template renders chats; nil for a model without one.
	Template Template
	// Vocabulary is the number of the model's embeddings; 0 if it is not known.
	Vocabulary int
}

const chatTemplateHint = `set data.chat_template to a template (a .jinja file, or its text), ` +
	`or give rows with "text", or with "prompt" and "completion"`

// Prompt is what a model is given to answer a question: with a chat template the
// question as the user's message and the beginning of the answer, without one
// the text itself, open at its end.
func (e *Encoder) Prompt(ctx context.Context, question string) ([]int32, error) {
	if e.Template != nil {
		return e.ChatPrompt(ctx, chat.Conversation{Messages: []*jinja.Dict{chat.NewMessage("user", question)}})
	}
	ids, err := e.Tokenizer.AppendIDs(nil, question, tokenizer.Options{AddSpecial: true})
	if err != nil {
		return nil, err
	}
	bare, err := e.Tokenizer.AppendIDs(nil, question, tokenizer.Options{})
	if err != nil {
		return nil, err
	}
	if n := len(ids); n > 0 && ids[n-1] == e.EOS && (len(bare) == 0 || bare[len(bare)-1] != e.EOS) {
		ids = ids[:n-1] // some tokenizers close every text
	}
	return withoutSecondBOS(ids, question, e.Tokenizer), nil
}

// ChatPrompt is a chat up to where the assistant is to go on.
func (e *Encoder) ChatPrompt(ctx context.Context, c chat.Conversation) ([]int32, error) {
	if e.Template == nil {
		return nil, errNoTemplate()
	}
	text, err := e.Template.Render(ctx, c, chat.Options{AddGenerationPrompt: true})
	if err != nil {
		return nil, err
	}
	return e.Tokenizer.AppendIDs(nil, text, tokenizer.Options{})
}

func errNoTemplate() error {
	return fault.New(fault.BadInput, "a chat, and the model has no chat template").WithHint("%s", chatTemplateHint)
}

// encoded is a row's tokens.
type encoded struct {
	ids        []int32
	supervised []bool
	straddles  bool // a token lies across the border of prompt and completion
}

// encode makes tokens of a row. A problem is the row's; an error is of all rows.
func (e *Encoder) encode(ctx context.Context, r *row, src *Source) (*encoded, *Problem, error) {
	template := src.Template
	if template == nil {
		template = e.Template
	}
	if r.instruction != nil {
		if p := r.settleInstruction(template != nil); p != nil {
			return nil, p, nil
		}
	}
	var out *encoded
	var p *Problem
	switch {
	case r.isChat() && template == nil:
		return nil, nil, errNoTemplate()
	case r.isChat():
		out, p = e.encodeChat(ctx, r, src, template)
	case r.shape == ShapeText:
		out, p = e.encodeText(r, src)
	default:
		out, p = e.encodeCompletion(r, src)
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if p == nil {
		p = e.checkIDs(out.ids)
	}
	return out, p, nil
}

// settleInstruction decides what an instruction is to the model.
func (r *row) settleInstruction(chats bool) (p *Problem) {
	if chats {
		r.chat = r.instruction.conversation()
		r.completionFrom = len(r.chat.Messages) - 1
		return nil
	}
	r.completion = r.instruction.output
	r.prompt, p = r.instruction.prompt()
	return p
}

// encodeText is the tokens of a text.
func (e *Encoder) encodeText(r *row, src *Source) (*encoded, *Problem) {
	if src.Loss == LossCompletion || src.Loss == LossAssistant {
		return nil, wrongLoss(src.Loss, "a text")
	}
	ids, err := e.Tokenizer.AppendIDs(nil, r.text, tokenizer.Options{AddSpecial: true})
	if err != nil {
		return nil, notEncoded(err)
	}
	ids = e.appendEOS(withoutSecondBOS(ids, r.text, e.Tokenizer), src.AppendEOS, AppendAuto)
	return &encoded{ids: ids, supervised: repeat(true, len(ids))}, nil
}

// encodeCompletion is the tokens of prompt and completion, as one text: where
// words meet, tokens are what they would be in a text that the model writes on.
// The completion begins at the first token that is not the prompt's.
func (e *Encoder) encodeCompletion(r *row, src *Source) (*encoded, *Problem) {
	if src.Loss == LossAssistant {
		return nil, wrongLoss(src.Loss, "prompt and completion")
	}
	out, p := e.encodePair(r.prompt, r.prompt+r.completion, tokenizer.Options{AddSpecial: true})
	if p != nil {
		return nil, p
	}
	if src.Loss == LossAll {
		out.supervised, out.straddles = repeat(true, len(out.ids)), false
	}
	if ids := withoutSecondBOS(out.ids, r.prompt+r.completion, e.Tokenizer); len(ids) < len(out.ids) {
		out.ids, out.supervised = ids, out.supervised[1:]
	}
	out.close(e.appendEOS(out.ids, src.AppendEOS, AppendAuto))
	return out, nil
}

// encodePair is the tokens of a text that begins with prompt; those learned are
// the ones from where the tokens of prompt alone are others. TRL's SFT trainer
// has the same rule.
func (e *Encoder) encodePair(prompt, text string, opts tokenizer.Options) (*encoded, *Problem) {
	given, err := e.Tokenizer.AppendIDs(nil, prompt, opts)
	if err != nil {
		return nil, notEncoded(err)
	}
	ids, err := e.Tokenizer.AppendIDs(nil, text, opts)
	if err != nil {
		return nil, notEncoded(err)
	}
	from := 0
	for from < len(given) && from < len(ids) && given[from] == ids[from] {
		from++
	}
	out := &encoded{ids: ids, supervised: make([]bool, len(ids))}
	for i := from; i < len(ids); i++ {
		out.supervised[i] = true
	}
	if n := len(given); n > 0 && given[n-1] == e.EOS { // the tokenizer's own end
		given = given[:n-1]
	}
	out.straddles = from < len(given)
	return out, nil
}

// close takes the ids with an end of sequence, which is learned.
func (out *encoded) close(ids []int32) {
	for range len(ids) - len(out.ids) {
		out.supervised = append(out.supervised, true)
	}
	out.ids = ids
}

// encodeChat is the tokens of a chat. Its text is the template's alone: the
// tokenizer adds nothing, for a template writes what begins a sequence itself.
func (e *Encoder) encodeChat(ctx context.Context, r *row, src *Source, template Template) (*encoded, *Problem) {
	learned, p := render(ctx, r, src.Loss, template)
	if p != nil {
		return nil, p
	}
	var out *encoded
	if learned.prompt >= 0 {
		out, p = e.encodePair(learned.text[:learned.prompt], learned.text, tokenizer.Options{})
	} else {
		out, p = e.encodeSpans(learned.text, learned.spans)
	}
	if p != nil {
		return nil, p
	}
	out.close(e.appendEOS(out.ids, src.AppendEOS, AppendAlways))
	return out, nil
}

// encodeSpans is the tokens of a text; those learned have a part in a span, as
// transformers has it (return_assistant_tokens_mask).
func (e *Encoder) encodeSpans(text string, spans []span) (*encoded, *Problem) {
	encoding, err := e.Tokenizer.Encode(text, tokenizer.Options{})
	if err != nil {
		return nil, notEncoded(err)
	}
	out := &encoded{ids: encoding.IDs, supervised: make([]bool, len(encoding.IDs))}
	markSpans(out.supervised, encoding.Offsets, spans)
	return out, nil
}

// appendEOS appends the end of a sequence if the setting is least or more, and
// it is not there.
func (e *Encoder) appendEOS(ids []int32, setting, least AppendEOS) []int32 {
	wanted := setting == AppendAlways || setting == least
	if !wanted || e.EOS == NoToken || len(ids) > 0 && ids[len(ids)-1] == e.EOS {
		return ids
	}
	return append(ids, e.EOS)
}

// checkIDs refuses tokens that the model has no embedding for.
func (e *Encoder) checkIDs(ids []int32) *Problem {
	for i, id := range ids {
		if e.Vocabulary > 0 && (id < 0 || int(id) >= e.Vocabulary) {
			text, _ := e.Tokenizer.TokenText(id)
			return problem(UnknownID, "token %d, %s, has the id %d; the model has embeddings for %d ids", i, short(text), id, e.Vocabulary).
				withHint("the tokenizer is another model's, or has tokens that the model was never given")
		}
	}
	return nil
}

// withoutSecondBOS drops the token that the tokenizer puts at the beginning of
// a sequence where the text already begins with it.
func withoutSecondBOS(ids []int32, text string, t Tokenizer) []int32 {
	if len(ids) < 2 || ids[0] != ids[1] {
		return ids
	}
	if first, ok := t.TokenText(ids[0]); ok && strings.HasPrefix(text, first) && !strings.HasPrefix(text, first+first) {
		return ids[1:]
	}
	return ids
}

func wrongLoss(loss Loss, shape string) *Problem {
	return problem(WrongType, `loss is %q, and the row is %s`, loss, shape).
		withHint(`set data.loss = "auto", which goes by each row, or "all"`)
}

func notEncoded(err error) *Problem {
	return problem(Broken, "not encoded: %v", err)
}

func notRendered(err error) *Problem {
	p := problem(Unrendered, "the chat template refuses these messages: %v", err)
	var f *fault.Error
	if errors.As(err, &f) {
		p.Hint = f.Hint
	}
	return p
}

func repeat(value bool, n int) []bool {
	out := make([]bool, n)
	for i := range out {
		out[i] = value
	}
	return out
}

var _ Tokenizer = (*tokenizer.Tokenizer)(nil)
