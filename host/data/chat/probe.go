package chat

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/jinja"
)

// The words that probes put into messages. They share no character at their ends,
// so that two texts that differ in them differ there exactly, and templates find
// nothing in them to strip or to take for a mark.
const (
	probeWord  = "Qaf7wordX"
	secondWord = "Zbk3textV"
)

// A probe is a turn's message changed: with a word in a field.
type probe struct {
	// start and end are where the word stands in the text of the whole
	// conversation.
	text       string
	start, end int
	change     func(word string) *jinja.Dict
	kind       int // of change; alone, besideOthers, inCall
}

// byProbe finds a turn by what changes in the text when its message does.
func (f *finder) byProbe(ctx context.Context, i int) (Turn, error) {
	reason := "the template does not write the message in one place"
	prompt, err := f.generationPrompt(ctx, i)
	if err != nil {
		return Turn{}, err
	}
	for kind, change := range probesOf(f.messages[i]) {
		p, ok, err := f.probe(ctx, i, f.messages, change)
		if err != nil {
			return Turn{}, err
		}
		if !ok {
			continue
		}
		p.kind = kind
		var turn Turn
		if turn, reason, err = f.measure(ctx, i, p, prompt); err != nil || reason == "" {
			return turn, err
		}
		if kind == besideOthers {
			// The template writes the content, and what it is: the name of a
			// called function is no better guide.
			break
		}
	}
	return Turn{}, f.lost(i, reason)
}

// measure is the turn around a probe's word, or the reason why it cannot be told.
func (f *finder) measure(ctx context.Context, i int, p *probe, prompt string) (Turn, string, error) {
	start, ok, err := f.startOf(ctx, i, p, prompt)
	if err != nil || !ok {
		return Turn{}, "what the template writes before it depends on what it says", err
	}
	end, ok, err := f.endOf(ctx, i, p, prompt)
	if err != nil || !ok || end < start {
		return Turn{}, "what the template writes after it depends on what it says, or the next message stands inside it", err
	}
	return Turn{start, end, i}, "", nil
}

// The kinds of probes, in the order of probesOf.
const (
	alone        = iota // a word is the whole content, and there are no other fields
	besideOthers        // a word is the content
	inCall              // a word is the name of a called function
)

// probesOf are the ways to put a word into a message: as its whole content, as its
// content beside its other fields, as the name of the function that it calls.
func probesOf(message *jinja.Dict) []func(word string) *jinja.Dict {
	content := func(m *jinja.Dict, word string) *jinja.Dict {
		var v jinja.Value = jinja.String{Text: word}
		if old, _ := m.Get("content"); isList(old) {
			part := jinja.NewDict()
			part.Set("type", jinja.String{Text: "text"})
			part.Set("text", v)
			v = jinja.NewList(part)
		}
		m.Set("content", v)
		return m
	}
	out := []func(string) *jinja.Dict{
		func(word string) *jinja.Dict {
			m := message.Clone()
			m.Delete("tool_calls")
			for _, name := range reasoningFields {
				m.Delete(name)
			}
			return content(m, word)
		},
		func(word string) *jinja.Dict { return content(message.Clone(), word) },
	}
	if calls, ok := message.Get("tool_calls"); ok {
		out = append(out, func(word string) *jinja.Dict {
			m := message.Clone()
			m.Set("tool_calls", renamedCall(calls, word))
			return m
		})
	}
	return out
}

func isList(v jinja.Value) bool {
	_, ok := v.(*jinja.List)
	return ok
}

// renamedCall is a list of tool calls with a word as the name in the first.
func renamedCall(calls jinja.Value, word string) jinja.Value {
	list, ok := calls.(*jinja.List)
	if !ok || len(list.Items()) == 0 {
		return calls
	}
	call, ok := list.Items()[0].(*jinja.Dict)
	if !ok {
		return calls
	}
	call = call.Clone()
	if inner, ok := call.Get("function"); ok {
		if function, ok := inner.(*jinja.Dict); ok {
			function = function.Clone()
			function.Set("name", jinja.String{Text: word})
			call.Set("function", function)
		}
	} else {
		call.Set("name", jinja.String{Text: word})
	}
	return jinja.NewList(append([]jinja.Value{call}, list.Items()[1:]...)...)
}

// probe renders messages with two words in turn at message i, and finds where the
// word stands; ok is false if it does not stand in exactly one place.
func (f *finder) probe(ctx context.Context, i int, messages []*jinja.Dict, change func(word string) *jinja.Dict) (*probe, bool, error) {
	with := func(word string) []*jinja.Dict {
		out := append([]*jinja.Dict{}, messages...)
		out[i] = change(word)
		return out
	}
	first, ok, err := f.try(ctx, with(probeWord), false)
	if err != nil || !ok {
		return nil, false, err
	}
	second, ok, err := f.try(ctx, with(secondWord), false)
	if err != nil || !ok {
		return nil, false, err
	}
	start := commonPrefix(first, second)
	end := len(first) - commonSuffix(first[start:], second[start:])
	if first[start:end] != probeWord || second[start:len(second)-(len(first)-end)] != secondWord {
		return nil, false, nil
	}
	return &probe{text: first, start: start, end: end, change: change}, true, nil
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func commonSuffix(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		if a[len(a)-1-i] != b[len(b)-1-i] {
			return i
		}
	}
	return n
}

// startOf is where the turn of message i starts: behind the generation prompt, or
// what of it the template writes before the message; with the word, if there is no
// prompt. The text up to there must be that of the conversation.
func (f *finder) startOf(ctx context.Context, i int, p *probe, prompt string) (int, bool, error) {
	head := p.text[:p.start]
	at := p.start
	switch {
	case prompt == "":
		if behind, known, err := f.behindPrevious(ctx, i, p); err != nil || known {
			return behind, strings.HasPrefix(f.text, p.text[:behind]), err
		}
		if p.kind == inCall {
			return 0, false, nil
		}
	case strings.HasSuffix(head, prompt):
		at = len(head) - len(prompt)
	default:
		// It must be the prompt of this turn, not of an earlier one.
		earliest, known, err := f.afterPrevious(ctx, i, p)
		if err != nil || !known || earliest > len(head) {
			return 0, false, err
		}
		begin := prompt
		if mark := firstMark(prompt); mark != "" && strings.HasPrefix(prompt, mark) {
			begin = mark
		}
		if n := strings.LastIndex(head[earliest:], begin); n >= 0 {
			at = earliest + n
		}
	}
	if !strings.HasPrefix(f.text, head[:at]) {
		return 0, false, nil
	}
	// A prompt can go further than the message does: one that closes an empty
	// place for reasoning, before a message with reasoning in it.
	same := commonPrefix(f.text[at:], prompt)
	if same < len(prompt) {
		same = wholeMarks(prompt, same)
	}
	return at + same, same > 0 || at == p.start, nil
}

// generationPrompt is what the template adds to the messages before i when it is
// asked for a generation prompt; to a question, if it refuses those messages; what
// it always adds; or "".
func (f *finder) generationPrompt(ctx context.Context, i int) (string, error) {
	if f.prompt {
		return f.always, nil
	}
	given := [][]*jinja.Dict{f.messages[:i], {NewMessage("user", probeWord)}}
	if i == 0 {
		given = given[1:]
	}
	for _, messages := range given {
		without, ok, err := f.try(ctx, messages, false)
		if err != nil {
			return "", err
		}
		if !ok {
			continue
		}
		with, ok, err := f.try(ctx, messages, true)
		if err != nil {
			return "", err
		}
		if ok {
			return with[wholeMarks(with, commonPrefix(with, without)):], nil
		}
	}
	return "", nil
}

// wholeMarks moves n back to where no mark such as <|end|> or [INST] is cut in
// two in s[:n], nor a character: texts that differ after "<|" differ in the mark.
func wholeMarks(s string, n int) int {
	if n == len(s) {
		return n
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	for _, mark := range []string{"<>", "[]"} {
		if open := strings.LastIndexByte(s[:n], mark[0]); open >= 0 && !strings.Contains(s[open:n], mark[1:]) {
			n = open
		}
	}
	return n
}

// firstMark is the first mark in a generation prompt, which in many templates
// begins every message; "" if it has none.
func firstMark(prompt string) string {
	open := strings.IndexAny(prompt, "<[")
	if open < 0 {
		return ""
	}
	closing := map[byte]string{'<': ">", '[': "]"}[prompt[open]]
	n := strings.Index(prompt[open:], closing)
	if n < 0 {
		return ""
	}
	return prompt[open : open+n+1]
}

// afterPrevious is where, in a probe's text, the content of the message before
// the turn's ends; known is false if that cannot be told.
func (f *finder) afterPrevious(ctx context.Context, i int, p *probe) (int, bool, error) {
	if i == 0 {
		return 0, true, nil
	}
	other, known, err := f.beside(ctx, i, i-1, p)
	if err != nil || !known {
		return 0, false, err
	}
	rest := other.text[other.end:]
	return len(p.text) - len(rest), strings.HasSuffix(p.text, rest), nil
}

// behindPrevious is where, in a probe's text, what the template writes for the
// message before the turn's ends: its content, and what stands behind that also
// when it is the last.
func (f *finder) behindPrevious(ctx context.Context, i int, p *probe) (int, bool, error) {
	if i == 0 {
		return 0, false, nil
	}
	earliest, known, err := f.afterPrevious(ctx, i, p)
	if err != nil || !known {
		return 0, false, err
	}
	for _, change := range probesOf(f.messages[i-1]) {
		last, ok, err := f.probe(ctx, i-1, f.messages[:i], change)
		if err != nil {
			return 0, false, err
		}
		if ok {
			at := earliest + len(last.text) - last.end
			return at, at <= p.start && strings.HasPrefix(p.text[earliest:], last.text[last.end:]), nil
		}
	}
	return 0, false, nil
}

// beforeNext is where, in the conversation's text, the content of the next message
// that the template writes begins; known is false if that cannot be told.
func (f *finder) beforeNext(ctx context.Context, i int) (int, bool, error) {
	for j := i + 1; j < len(f.messages); j++ {
		start, visible, known, err := f.contentStart(ctx, j)
		if err != nil || !known {
			return 0, false, err
		}
		if visible {
			return start, true, nil
		}
	}
	return len(f.text), true, nil
}

// contentStart is where in the conversation's text what message j says begins.
// Some templates leave out messages of roles that they do not know: those are not
// visible.
func (f *finder) contentStart(ctx context.Context, j int) (start int, visible, known bool, err error) {
	probes := probesOf(f.messages[j])
	for _, change := range probes {
		p, ok, err := f.probe(ctx, j, f.messages, change)
		if err != nil {
			return 0, false, false, err
		}
		if ok && strings.HasPrefix(f.text, p.text[:p.start]) {
			return p.start, true, true, nil
		}
	}
	for _, change := range probes {
		messages := append([]*jinja.Dict{}, f.messages...)
		messages[j] = change(probeWord)
		text, ok, err := f.try(ctx, messages, false)
		if err != nil || !ok || text != f.text {
			return 0, false, false, err
		}
	}
	return 0, false, true, nil
}

// beside probes message j while message i holds the word of its own probe.
func (f *finder) beside(ctx context.Context, i, j int, p *probe) (*probe, bool, error) {
	const before = "beside"
	messages := append([]*jinja.Dict{}, f.messages...)
	messages[i] = p.change(probeWord)
	for _, change := range probesOf(f.messages[j]) {
		other, ok, err := f.probe(ctx, j, messages, func(word string) *jinja.Dict {
			return change(before + word)
		})
		if err != nil {
			return nil, false, err
		}
		if ok && strings.HasSuffix(other.text[:other.start], before) {
			other.start -= len(before)
			return other, true, nil
		}
	}
	return nil, false, nil
}

// endOf is where the turn of message i ends: behind the mark that ends it, and
// before the next message. What the template writes after that for the message with
// the word must be what it writes for the message itself.
func (f *finder) endOf(ctx context.Context, i int, p *probe, prompt string) (int, bool, error) {
	behind := p.text[p.end:]
	if i+1 == len(f.messages) {
		return len(f.closed(f.text)), true, nil
	}
	next, known, err := f.beforeNext(ctx, i)
	if err != nil || !known {
		return 0, false, err
	}
	marks, err := f.endMarks(ctx, i, p, prompt)
	if err != nil {
		return 0, false, err
	}
	for _, mark := range marks {
		tail := behind[mark:]
		if end := len(f.text) - len(tail); end <= next && strings.HasSuffix(f.text, tail) {
			return end, true, nil
		}
	}
	return 0, false, nil
}

// endMarks are what the length of the mark can be that ends a turn inside the
// conversation, the best first: that of what stands behind the word also when the
// message is the last; of what stands before the mark that begins a message, where
// the last turn ends otherwise; of what the two ends have in common.
func (f *finder) endMarks(ctx context.Context, i int, p *probe, prompt string) ([]int, error) {
	behind := p.text[p.end:]
	var out []int
	last, ok, err := f.probe(ctx, i, f.messages[:i+1], p.change)
	if err != nil {
		return nil, err
	}
	var lastEnd string
	if ok {
		lastEnd = f.closed(last.text[last.end:])
		if strings.HasPrefix(behind, lastEnd) {
			out = append(out, len(lastEnd))
		}
	}
	if begin := firstMark(prompt); begin != "" {
		if at := strings.Index(behind, begin); at >= 0 {
			out = append(out, at)
		}
	}
	if ok {
		out = append(out, wholeMarks(behind, commonPrefix(behind, lastEnd)))
	}
	return out, nil
}
