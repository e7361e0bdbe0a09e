package data

import (
	"context"
	"slices"
	"strings"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/host/data/tokenizer"
)

// newQuestion is a chat of one question.
func newQuestion(question string) []*jinja.Dict {
	return []*jinja.Dict{newMessage("user", question)}
}

// A learnedText is a chat's text, and what of it is learned: what follows the
// prompt, or spans.
type learnedText struct {
	text   string
	prompt int // the prompt's length in bytes; -1: spans say what is learned
	spans  []Span
}

// render renders a chat and says what of it is learned.
func render(ctx context.Context, r *row, loss Loss, template Template) (*learnedText, *Problem) {
	if loss == LossAuto {
		loss = LossAssistant
		if r.completionFrom >= 0 {
			loss = LossCompletion
		}
	}
	switch {
	case loss == LossAll:
		text, err := template.Render(ctx, r.chat, false)
		if err != nil {
			return nil, notRendered(err)
		}
		return &learnedText{text: text, prompt: 0}, nil
	case loss == LossAssistant:
		return assistantTurns(ctx, &r.chat, template)
	case r.completionFrom >= 0:
		return completion(ctx, r, template)
	}
	last := r.chat.lastTurn()
	if last < 0 {
		return nil, noTurn()
	}
	return turnsFrom(ctx, &r.chat, last, template)
}

func noTurn() *Problem {
	return problem(Masked, "no message is the assistant's, so there is nothing to learn")
}

// assistantTurns are the turns of the assistant that are to be learned.
func assistantTurns(ctx context.Context, chat *Chat, template Template) (*learnedText, *Problem) {
	learned := chat.learnedTurns()
	if len(learned) == 0 {
		return nil, noTurn()
	}
	rendered, err := template.RenderTurns(ctx, *chat)
	if err != nil {
		return nil, notRendered(err)
	}
	out := &learnedText{text: rendered.Text, prompt: -1, spans: rendered.Turns}
	if !slices.Contains(learned, false) {
		return out, nil
	}
	if len(rendered.Turns) != len(learned) {
		return nil, problem(Unrendered, "a message has weight 0, and its turn cannot be told: the assistant has %s, of which the template marks %d",
			count(len(learned), "turn"), len(rendered.Turns))
	}
	out.spans = nil
	for i, span := range rendered.Turns {
		if learned[i] {
			out.spans = append(out.spans, span)
		}
	}
	return out, nil
}

// completion is what follows the prompt. The prompt is rendered by itself, with
// the beginning of the assistant's turn, and should be how the whole chat begins.
// Some templates show earlier turns otherwise as soon as another one follows;
// then the completion is its turns of the assistant.
func completion(ctx context.Context, r *row, template Template) (*learnedText, *Problem) {
	prompt, err := template.Render(ctx, r.chat.until(r.completionFrom), true)
	if err != nil {
		return nil, notRendered(err)
	}
	text, err := template.Render(ctx, r.chat, false)
	if err != nil {
		return nil, notRendered(err)
	}
	if strings.HasPrefix(text, prompt) {
		return &learnedText{text: text, prompt: len(prompt)}, nil
	}
	return turnsFrom(ctx, &r.chat, r.completionFrom, template)
}

// turnsFrom are the assistant's turns from a message on. Where the template marks
// each turn, they are counted; else they are what is marked beyond the text that
// the messages before have by themselves.
func turnsFrom(ctx context.Context, chat *Chat, from int, template Template) (*learnedText, *Problem) {
	rendered, err := template.RenderTurns(ctx, *chat)
	if err != nil {
		return nil, notRendered(err)
	}
	out := &learnedText{text: rendered.Text, prompt: -1}
	earlier := chat.until(from)
	before, total := len(earlier.learnedTurns()), len(chat.learnedTurns())
	if len(rendered.Turns) == total {
		out.spans = rendered.Turns[before:]
		return out, nil
	}
	prompt := ""
	if from > 0 {
		if prompt, err = template.Render(ctx, earlier, true); err != nil {
			return nil, notRendered(err)
		}
	}
	if !strings.HasPrefix(rendered.Text, prompt) {
		return nil, problem(Unrendered, "the chat template renders the prompt by itself otherwise than before the completion").
			withHint(`set data.loss = "assistant", or data.chat_template to one with generation blocks`)
	}
	for _, span := range rendered.Turns {
		if span.End > len(prompt) {
			out.spans = append(out.spans, Span{max(span.Start, len(prompt)), span.End})
		}
	}
	return out, nil
}

// markSpans marks the tokens of which a part lies in a span. Both are in order.
func markSpans(supervised []bool, offsets []tokenizer.Span, spans []Span) {
	next := 0
	for i, o := range offsets {
		for next < len(spans) && o.Start >= spans[next].End {
			next++
		}
		if next == len(spans) {
			return
		}
		supervised[i] = o.End > spans[next].Start
	}
}
