package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
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

// short quotes a text, the beginning of a long one.
func short(text string) string {
	const most = 40
	runes := []rune(text)
	if len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}

// fields are the values of an object's keys. Those that are null are left out:
// tables exported as JSON have a null for each cell without a value.
type fields map[string]json.RawMessage

// parseObject reads a row of JSON as far as its keys.
func parseObject(data []byte) (fields, *Problem) {
	if kind := kindOf(data); kind != "an object" {
		p := problem(WrongType, "the row is %s; it must be an object", kind)
		if kind == "" {
			p = problem(Broken, "no JSON: it begins with %s", short(string(data[:min(len(data), 40)])))
		}
		return nil, p
	}
	var f fields
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, brokenJSON(data, err)
	}
	if loneSurrogate(data) {
		return nil, problem(Broken, `an escape \uD800 to \uDFFF that is half of a character`)
	}
	for key, value := range f {
		if kindOf(value) == "null" {
			delete(f, key)
		}
	}
	return f, nil
}

// brokenJSON says where JSON is broken.
func brokenJSON(data []byte, err error) *Problem {
	p := problem(Broken, "broken JSON: %v", err)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return p
	}
	at := min(int(syntax.Offset), len(data))
	if at == len(data) {
		return problem(Broken, "broken JSON: it ends too early (%v)", err).
			withHint("one row is one line in .jsonl; an array of rows goes into a .json file")
	}
	near := strings.ToValidUTF8(string(data[max(0, at-15):min(len(data), at+15)]), "")
	return problem(Broken, "broken JSON at byte %d, near %q: %v", at, near, err)
}

func (f fields) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := f[key]; !ok {
			return false
		}
	}
	return true
}

func (f fields) keys() []string {
	var keys []string
	for key := range f {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// text is the value of a key that must be a string.
func (f fields) text(key string) (string, *Problem) {
	var out string
	if kind := kindOf(f[key]); kind != "a string" {
		return "", problem(WrongType, "%q is %s; it must be a string", key, kind)
	}
	if err := json.Unmarshal(f[key], &out); err != nil {
		return "", problem(Broken, "%q: %v", key, err)
	}
	return out, nil
}

// optionalText is the value of a key that may be missing.
func (f fields) optionalText(key string) (string, *Problem) {
	if !f.has(key) {
		return "", nil
	}
	return f.text(key)
}

// value is the value of a key with its objects' keys in order; nil where it is
// missing.
func (f fields) value(key string) (jinja.Value, *Problem) {
	if !f.has(key) {
		return nil, nil
	}
	v, err := jinja.ParseJSON(f[key])
	if err != nil {
		return nil, problem(Broken, "%q: %v", key, err)
	}
	return v, nil
}

// kindOf names the kind of a JSON value by its first character.
func kindOf(data []byte) string {
	for _, c := range data {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '{':
			return "an object"
		case c == '[':
			return "a list"
		case c == '"':
			return "a string"
		case c == 't' || c == 'f':
			return "true or false"
		case c == 'n':
			return "null"
		case c == '-' || '0' <= c && c <= '9':
			return "a number"
		default:
			return ""
		}
	}
	return ""
}

// invalidUTF8 is the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// loneSurrogate reports whether sound JSON has an escape that is half of a
// character. Decoding would put U+FFFD in its place without a word.
func loneSurrogate(data []byte) bool {
	high := false // the escape just before is a first half
	for at := 0; at < len(data); at++ {
		unit := rune(-1)
		if data[at] == '\\' && at+1 < len(data) {
			at++
			if data[at] == 'u' && at+4 < len(data) {
				unit = hexadecimal(data[at+1 : at+5])
				at += 4
			}
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = unit >= 0xd800 && unit <= 0xdbff
	}
	return high
}

func hexadecimal(digits []byte) rune {
	n := rune(0)
	for _, c := range digits {
		n <<= 4
		switch {
		case c >= 'a':
			n |= rune(c-'a') + 10
		case c >= 'A':
			n |= rune(c-'A') + 10
		default:
			n |= rune(c - '0')
		}
	}
	return n
}
