package data

import (
	"context"
	"slices"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/tokenizer"
)

// A span is a half-open range of bytes of a text.
type span struct{ start, end int }

// A learnedText is a chat's text, and what of it is learned: what follows the
// prompt, or spans.
type learnedText struct {
	text   string
	prompt int // the prompt's length in bytes; -1: spans say what is learned
	spans  []span
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
		text, err := template.Render(ctx, r.chat, chat.Options{})
		if err != nil {
			return nil, notRendered(err)
		}
		return &learnedText{text: text, prompt: 0}, nil
	case loss == LossCompletion && r.completionFrom >= 0:
		return completion(ctx, r, template)
	}
	last := lastTurn(r.chat.Messages)
	switch {
	case last < 0:
		return nil, problem(Masked, "no message is the assistant's, so there is nothing to learn")
	case loss == LossCompletion:
		return turnsFrom(ctx, r.chat, last, template)
	}
	return turnsFrom(ctx, r.chat, 0, template)
}

// completion is what follows the prompt. The prompt is rendered by itself, with
// the beginning of the assistant's turn, and should be how the whole chat begins.
// Some templates show earlier turns otherwise as soon as another one follows;
// then the completion is its turns of the assistant.
func completion(ctx context.Context, r *row, template Template) (*learnedText, *Problem) {
	prompt, err := template.Render(ctx, beginning(r.chat, r.completionFrom), chat.Options{AddGenerationPrompt: true})
	if err != nil {
		return nil, notRendered(err)
	}
	text, err := template.Render(ctx, r.chat, chat.Options{})
	if err != nil {
		return nil, notRendered(err)
	}
	if strings.HasPrefix(text, prompt) {
		return &learnedText{text: text, prompt: len(prompt)}, nil
	}
	return turnsFrom(ctx, r.chat, r.completionFrom, template)
}

// turnsFrom are the assistant's turns from a message on, but for those of weight
// 0.
func turnsFrom(ctx context.Context, c chat.Conversation, from int, template Template) (*learnedText, *Problem) {
	rendered, err := template.RenderTurns(ctx, c)
	if err != nil {
		return nil, notRendered(err)
	}
	out := &learnedText{text: rendered.Text, prompt: -1}
	unweighted := unweighted(c.Messages)
	some := from > 0 || slices.Contains(unweighted, true)
	for _, turn := range rendered.Turns {
		if some && turn.Message < 0 {
			return nil, problem(Unrendered, "not all turns are to be learned, and the chat template's generation blocks do not tell one turn from another").
				withHint(`let the template have one generation block for each turn, or set data.loss = "assistant" and leave out weights`)
		}
		if !some || turn.Message >= from && !unweighted[turn.Message] {
			out.spans = append(out.spans, span{turn.Start, turn.End})
		}
	}
	return out, nil
}

// markSpans marks the tokens of which a part lies in a span. Both are in order.
func markSpans(supervised []bool, offsets []tokenizer.Span, spans []span) {
	next := 0
	for i, o := range offsets {
		for next < len(spans) && o.Start >= spans[next].end {
			next++
		}
		if next == len(spans) {
			return
		}
		supervised[i] = o.End > spans[next].start
	}
}
