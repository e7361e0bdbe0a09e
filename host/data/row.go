package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/honeml/hone/host/data/chat"
)

// A Shape is what a row's keys make of it.
type Shape string

// The shapes, each by its keys. Where a row fits several, the first of them
// counts.
const (
	// ShapeMessages is a chat: messages, each with role and content. Beside them
	// may stand tools, documents and chat_template_kwargs.
	ShapeMessages Shape = "messages"
	// ShapeConversations is a chat as ShareGPT writes it: conversations, each
	// with from and value. Beside them may stand system and tools.
	ShapeConversations Shape = "conversations"
	// ShapePrompt is prompt and completion, both strings or both messages.
	ShapePrompt Shape = "prompt and completion"
	// ShapeInstruction is an instruction, perhaps input, and output, as Alpaca
	// has it. Beside them may stand system and history.
	ShapeInstruction Shape = "instruction and output"
	// ShapeText is one text.
	ShapeText Shape = "text"
)

// shapes are the keys of each shape: those that make it, and those it may have.
var shapes = []struct {
	shape          Shape
	needed, others []string
}{
	{ShapeMessages, []string{"messages"}, []string{"tools", "documents", "chat_template_kwargs"}},
	{ShapeConversations, []string{"conversations"}, []string{"system", "tools", "documents", "chat_template_kwargs"}},
	{ShapePrompt, []string{"prompt", "completion"}, []string{"tools", "documents", "chat_template_kwargs"}},
	{ShapeInstruction, []string{"instruction", "output"}, []string{"input", "system", "history"}},
	{ShapeText, []string{"text"}, nil},
}

// A row is what a file says, before it is text or tokens.
type row struct {
	shape  Shape
	unused []string // keys that mean nothing here

	text               string            // ShapeText
	prompt, completion string            // ShapePrompt of strings
	chat               chat.Conversation // where it has messages
	// completionFrom is the number of the chat's first message that belongs to
	// the completion; -1 where messages are not divided so.
	completionFrom int
	instruction    *instruction // ShapeInstruction
}

// isChat reports whether the row has messages.
func (r *row) isChat() bool { return len(r.chat.Messages) > 0 }

// parseRow makes sense of a raw row.
func parseRow(raw rawRow) (*row, *Problem) {
	if raw.lost != nil {
		return nil, raw.lost
	}
	if at := invalidUTF8(raw.data); at >= 0 {
		return nil, problem(Broken, "byte %d of the row is not UTF-8", at).withHint("save the file as UTF-8")
	}
	if raw.text {
		return &row{shape: ShapeText, text: string(raw.data)}, nil
	}
	fields, p := parseObject(raw.data)
	if p != nil {
		return nil, p
	}
	for _, s := range shapes {
		if !fields.has(s.needed...) {
			continue
		}
		r := &row{shape: s.shape, completionFrom: -1}
		for _, key := range fields.keys() {
			if !slices.Contains(s.needed, key) && !slices.Contains(s.others, key) {
				r.unused = append(r.unused, key)
			}
		}
		if p := r.fill(fields); p != nil {
			return nil, p
		}
		return r, nil
	}
	return nil, unknownShape(fields)
}

// fill reads the values of the row's keys.
func (r *row) fill(f fields) (p *Problem) {
	switch r.shape {
	case ShapeMessages:
		r.chat, p = f.messages()
	case ShapeConversations:
		r.chat, p = f.conversations()
	case ShapePrompt:
		p = r.fillPrompt(f)
	case ShapeInstruction:
		r.instruction, p = f.instruction()
	case ShapeText:
		if r.text, p = f.text("text"); p == nil && strings.TrimSpace(r.text) == "" {
			p = problem(Empty, `"text" is empty`)
		}
	}
	return p
}

func (r *row) fillPrompt(f fields) (p *Problem) {
	if kindOf(f["prompt"]) == "a list" || kindOf(f["completion"]) == "a list" {
		return r.fillPromptMessages(f)
	}
	if r.prompt, p = f.text("prompt"); p != nil {
		return p
	}
	if r.completion, p = f.text("completion"); p != nil {
		return p
	}
	if strings.TrimSpace(r.completion) == "" {
		return problem(Empty, `"completion" is empty`)
	}
	return nil
}

// unknownShape says which keys there are, and which there should be.
func unknownShape(f fields) *Problem {
	keys := f.keys()
	if len(keys) == 0 {
		return problem(Empty, "an object without values")
	}
	var known []string
	for _, s := range shapes {
		known = append(known, strings.Join(s.needed, " and "))
	}
	found := "keys " + quoteAll(keys)
	if len(keys) == 1 {
		found = "key " + quoteAll(keys)
	}
	p := problem(UnknownShape, "%s: no shape of row that hone knows", found).
		withHint("rows have " + strings.Join(known[:len(known)-1], ", or ") + ", or " + known[len(known)-1])
	if f.has("chosen", "rejected") {
		return p.withHint("rows of preferences are for another kind of training; make prompt and completion of them")
	}
	return p
}

// quoteAll quotes a few keys, and says how many more there are.
func quoteAll(keys []string) string {
	const most = 12
	var out []string
	for _, key := range keys[:min(len(keys), most)] {
		out = append(out, short(key))
	}
	if more := len(keys) - most; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// listPaths lists the first of some paths, each as it is.
func listPaths(paths []string) string {
	const most = 12
	list := strings.Join(paths[:min(len(paths), most)], ", ")
	if more := len(paths) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// short quotes a text, the beginning of a long one.
func short(text string) string {
	const most = 40
	runes := []rune(text)
	if len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}
