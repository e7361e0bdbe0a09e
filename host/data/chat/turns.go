package chat

import (
	"context"
	"sort"
	"strings"
	"unicode"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

// How turns are found in the text of a template without generation blocks.
//
// A turn is what the model is to write when it is given the text before it with
// the generation prompt: from the end of that prompt through the mark that ends
// the turn, and its newline if the template puts one. That is also where the
// generation blocks of the templates lie that TRL trains with, but that some of
// those mark a part of the prompt too.
//
// Most templates render a conversation so that its first messages render to the
// beginning of the text (byPrefix): the turn of message i lies between the
// first i messages with generation prompt and the first i+1. Both are checked to
// be beginnings of the text, so what is found this way is right.
//
// Some do not: they drop the reasoning of all turns but the last, move the tools
// to the last question, or end the text with a token that no turn ends with. For
// their turns the message is replaced by others, and what changes in the text, and
// what does not, says where it stands (probe.go). Again what is found is checked
// against the text; when the check fails there is an error, never a guess.

// A Turn is a range of bytes of a text that the assistant wrote.
type Turn struct {
	Start, End int
	// Message is the index of the message; -1 where generation blocks are not
	// one a message.
	Message int
}

// A Rendered is a conversation's text and the assistant's turns in it, in order
// and disjoint.
type Rendered struct {
	Text  string
	Turns []Turn
}

const turnsHint = `give the template {% generation %} blocks around what the assistant writes ` +
	`(data.chat_template takes a changed template), or set data.loss = "all"`

// RenderTurns is the text of a conversation and where in it the assistant's turns
// are. Where they cannot be found, the error says for which message and why, and
// its hint (see fault.HintOf) what to do.
func (t *Template) RenderTurns(ctx context.Context, c Conversation) (Rendered, error) {
	if err := c.check(); err != nil {
		return Rendered{}, err
	}
	f := &finder{template: t, conversation: &c, messages: normalized(c.Messages)}
	result, err := t.render(ctx, &c, f.messages, false)
	if err != nil {
		return Rendered{}, err
	}
	f.text = result.Text
	out := Rendered{Text: result.Text}
	if t.HasGenerationBlocks() {
		out.Turns, err = f.generated(ctx, result)
	} else {
		out.Turns, err = f.found(ctx)
	}
	if err != nil {
		return Rendered{}, err
	}
	return out, nil
}

// A finder finds the turns of one conversation.
type finder struct {
	template     *Template
	conversation *Conversation
	messages     []*jinja.Dict // normalized
	text         string
	// always is what the template writes at the end of every text, behind the
	// end of the last message; "" for most. prompt: it is a generation prompt.
	always string
	prompt bool
}

// turns are the indices of the assistant's messages.
func (f *finder) turns() []int {
	var out []int
	for i, message := range f.messages {
		if Role(message) == Assistant {
			out = append(out, i)
		}
	}
	return out
}

// generated are the turns that generation blocks mark.
func (f *finder) generated(ctx context.Context, result jinja.Result) ([]Turn, error) {
	if len(result.Generations) < result.GenerationBlocks {
		return nil, fault.New(fault.BadInput, "the chat template changes, or drops, what a {%% generation %%} block wrote, so its place in the text is lost").
			WithHint("put the generation block around the expression that is printed last, or set data.loss = \"all\"")
	}
	out := blocks(result)
	turns := f.turns()
	if len(turns) == len(out) {
		for i := range out {
			out[i].Message = turns[i]
		}
		return out, nil
	}
	return out, f.attribute(ctx, out, turns)
}

// blocks are the ranges that generation blocks wrote, without empty ones and those
// inside others.
func blocks(result jinja.Result) []Turn {
	spans := append([]jinja.Span{}, result.Generations...)
	sort.SliceStable(spans, func(i, j int) bool { return spans[i].Start < spans[j].Start })
	var out []Turn
	for _, span := range spans {
		switch {
		case span.Start == span.End:
		case len(out) > 0 && span.Start < out[len(out)-1].End:
			last := &out[len(out)-1]
			last.End = max(last.End, span.End)
		default:
			out = append(out, Turn{span.Start, span.End, -1})
		}
	}
	return out
}

// attribute finds the messages of generation blocks of which a message has several
// or none: a block is of the first message up to which the messages render it where
// it is. If that cannot be told of one, it is not told of any.
func (f *finder) attribute(ctx context.Context, out []Turn, turns []int) error {
	var owners []int
	for n, i := range turns {
		known := len(out)
		if n+1 < len(turns) {
			result, err := f.template.render(ctx, f.conversation, f.messages[:i+1], false)
			if err != nil {
				return f.fatal(ctx, err)
			}
			upTo := blocks(result)
			known = len(owners)
			for known < min(len(upTo), len(out)) && upTo[known] == out[known] {
				known++
			}
			if known == len(owners) && len(upTo) > known {
				return nil
			}
		}
		for len(owners) < known {
			owners = append(owners, i)
		}
	}
	for i, owner := range owners {
		out[i].Message = owner
	}
	return nil
}

// found are the turns found by rendering.
func (f *finder) found(ctx context.Context) ([]Turn, error) {
	turns := f.turns()
	if len(turns) == 0 {
		return nil, nil
	}
	var out []Turn
	if err := f.findAlways(ctx); err != nil {
		return nil, err
	}
	end := 0
	for _, i := range turns {
		turn, ok, err := f.byPrefix(ctx, i)
		if err == nil && !ok {
			turn, err = f.byProbe(ctx, i)
		}
		if err != nil {
			return nil, err
		}
		if turn.Start < end {
			return nil, f.lost(i, "it would lie inside the turn before it")
		}
		end = turn.End
		out = append(out, turn)
	}
	return out, nil
}

// lost is the error of a turn that cannot be found.
func (f *finder) lost(i int, reason string) error {
	return fault.New(fault.BadInput, "cannot tell which part of the text is the turn of %s: %s", describe(i, f.messages[i]), reason).
		WithHint("%s", turnsHint)
}

// try renders messages of which the template may refuse some combinations: ok is
// false then. Only what ends all rendering is an error.
func (f *finder) try(ctx context.Context, messages []*jinja.Dict, prompt bool) (text string, ok bool, err error) {
	result, err := f.template.render(ctx, f.conversation, messages, prompt)
	if err == nil {
		return result.Text, true, nil
	}
	return "", false, f.fatal(ctx, err)
}

// fatal is an error that ends all rendering, or nil: a template may refuse some
// messages.
func (f *finder) fatal(ctx context.Context, err error) error {
	if ctx.Err() == nil && (jinja.KindOf(err) == jinja.Raised || jinja.KindOf(err) == jinja.Runtime) {
		return nil
	}
	return err
}

// closed is a text without what is always at its end.
func (f *finder) closed(text string) string { return strings.TrimSuffix(text, f.always) }

// byPrefix finds a turn of a template that renders the first messages to the
// beginning of the text.
func (f *finder) byPrefix(ctx context.Context, i int) (Turn, bool, error) {
	before, ok, err := f.try(ctx, f.messages[:i], true)
	if err != nil || !ok || !strings.HasPrefix(f.text, before) {
		return Turn{}, false, err
	}
	if i == 0 {
		// Without messages there may be no generation prompt.
		prompt, err := f.generationPrompt(ctx, i)
		if err != nil || prompt == "" || !strings.HasSuffix(before, prompt) {
			return Turn{}, false, err
		}
	}
	through := f.text
	if i+1 < len(f.messages) {
		if through, ok, err = f.try(ctx, f.messages[:i+1], false); err != nil || !ok {
			return Turn{}, false, err
		}
	}
	through = f.closed(through)
	if !strings.HasPrefix(f.text, through) || len(through) < len(before) {
		return Turn{}, false, nil
	}
	return Turn{len(before), len(through), i}, true, nil
}

// findAlways finds what ends every text of the template: what ends a text that ends
// with an answer, behind the answer's end, as well as one that ends with a question.
// It begins as messages begin.
func (f *finder) findAlways(ctx context.Context) error {
	question := []*jinja.Dict{NewMessage("user", probeWord)}
	with, ok, err := f.try(ctx, question, true)
	if err != nil || !ok {
		return err
	}
	without, ok, err := f.try(ctx, question, false)
	if err != nil || !ok {
		return err
	}
	text, ok, err := f.try(ctx, append(question, NewMessage(Assistant, secondWord)), false)
	if err != nil || !ok {
		return err
	}
	asked, answered := strings.Index(text, probeWord), strings.LastIndex(text, secondWord)
	last := strings.LastIndex(without, probeWord)
	if asked < 0 || answered < asked || last < 0 {
		return nil
	}
	behind := text[answered+len(secondWord):]
	end := behind[len(behind)-commonSuffix(without[last:], behind):]
	if with == without {
		// A generation prompt that is not asked for also stands before answers.
		end = end[len(end)-commonSuffix(text[asked:answered], end):]
		end = end[messageBegin(end, text[:asked]):]
	} else {
		mark := firstMark(with[wholeMarks(with, commonPrefix(with, without)):])
		if mark == "" || !strings.Contains(end, mark) {
			return nil
		}
		end = end[strings.Index(end, mark):]
	}
	// It says something, and is not itself what ends the answer.
	if strings.IndexFunc(end, unicode.IsLetter) >= 0 && len(end) < len(behind) {
		f.always, f.prompt = end, with == without
	}
	return nil
}

// messageBegin is where in s a message begins: at the first mark that also stands
// before the first message's text; else at the last mark; else with a line.
func messageBegin(s, first string) int {
	for at := 0; at < len(s); {
		mark := firstMark(s[at:])
		if mark == "" {
			break
		}
		at += strings.Index(s[at:], mark)
		if strings.Contains(first, mark) {
			return at
		}
		at += len(mark)
	}
	if at := strings.LastIndexAny(s, "<["); at >= 0 {
		return at
	}
	if at := strings.IndexByte(s, '\n'); at >= 0 {
		return at
	}
	return len(s)
}
