package data

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/host/data/jinja"
)

// A Chat is what a chat template is given.
type Chat struct {
	// Messages have a "role" and mostly a "content"; their other keys go to the
	// template as they are.
	Messages []*jinja.Dict
	Tools    jinja.Value // nil for none
	// Variables are further variables of the template; nil for none.
	Variables *jinja.Dict
}

// roleOf is a message's role.
func roleOf(message *jinja.Dict) string {
	v, _ := message.Get("role")
	s, _ := v.(jinja.String)
	return s.Text
}

// assistant is the role whose messages are learned.
const assistant = "assistant"

// learnedTurns reports for each turn of the assistant whether it is to be
// learned: a message with a weight of 0 is not.
func (c *Chat) learnedTurns() []bool {
	var out []bool
	for _, m := range c.Messages {
		if roleOf(m) == assistant {
			w, weighted := m.Get("weight")
			out = append(out, !weighted || w != jinja.Int(0) && w != jinja.Float(0) && w != jinja.Bool(false))
		}
	}
	return out
}

// lastTurn is the number of the last message of the assistant, or -1.
func (c *Chat) lastTurn() int {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		if roleOf(c.Messages[i]) == assistant {
			return i
		}
	}
	return -1
}

// until is the chat's first n messages.
func (c *Chat) until(n int) Chat {
	return Chat{Messages: c.Messages[:n], Tools: c.Tools, Variables: c.Variables}
}

// messages reads a row of the shape ShapeMessages.
func (f fields) messages() (Chat, *Problem) {
	chat, p := f.around()
	if p != nil {
		return Chat{}, p
	}
	if chat.Messages, p = f.messageList("messages"); p != nil {
		return Chat{}, p
	}
	return chat, checkSaid(chat.Messages)
}

// fillPromptMessages reads prompt and completion that are messages.
func (r *row) fillPromptMessages(f fields) (p *Problem) {
	for _, key := range []string{"prompt", "completion"} {
		if kind := kindOf(f[key]); kind != "a list" {
			return problem(WrongType, "%q is %s: prompt and completion must both be strings, or both lists of messages", key, kind)
		}
	}
	if r.chat, p = f.around(); p != nil {
		return p
	}
	prompt, p := f.messageList("prompt")
	if p != nil {
		return p
	}
	completion, p := f.messageList("completion")
	if p != nil {
		return p
	}
	r.chat.Messages = append(prompt, completion...)
	r.completionFrom = len(prompt)
	return checkSaid(completion)
}

// around reads what may stand beside messages.
func (f fields) around() (chat Chat, p *Problem) {
	if chat.Tools, p = f.tools(); p != nil {
		return chat, p
	}
	v, p := f.value("chat_template_kwargs")
	if p != nil || v == nil {
		return chat, p
	}
	var ok bool
	if chat.Variables, ok = v.(*jinja.Dict); !ok {
		return chat, problem(WrongType, `"chat_template_kwargs" is %s; it must be an object`, kindOf(f["chat_template_kwargs"]))
	}
	return chat, nil
}

// tools reads the tools that the chat offers: a list, or one written as a string
// of JSON, as tables keep it.
func (f fields) tools() (jinja.Value, *Problem) {
	v, p := f.value("tools")
	if p != nil || v == nil {
		return nil, p
	}
	if s, ok := v.(jinja.String); ok {
		if strings.TrimSpace(s.Text) == "" {
			return nil, nil
		}
		var err error
		if v, err = jinja.ParseJSON([]byte(s.Text)); err != nil {
			return nil, problem(WrongType, `"tools" is a string that is no JSON: %v`, err)
		}
		if v == (jinja.None{}) {
			return nil, nil
		}
	}
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, problem(WrongType, `"tools" must be a list of objects`)
	}
	if len(list.Items()) == 0 {
		return nil, nil
	}
	for i, item := range list.Items() {
		if _, ok := item.(*jinja.Dict); !ok {
			return nil, problem(WrongType, `"tools": entry %d is no object`, i+1)
		}
	}
	return list, nil
}

// messageList reads a list of messages.
func (f fields) messageList(key string) ([]*jinja.Dict, *Problem) {
	objects, p := f.objects(key)
	if p != nil {
		return nil, p
	}
	for i, m := range objects {
		if p := checkMessage(m); p != nil {
			p.Message = fmt.Sprintf("%s, message %d: %s", key, i+1, p.Message)
			return nil, p
		}
	}
	return objects, nil
}

// objects reads a list of objects.
func (f fields) objects(key string) ([]*jinja.Dict, *Problem) {
	v, p := f.value(key)
	if p != nil {
		return nil, p
	}
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, problem(WrongType, "%q is %s; it must be a list of messages", key, kindOf(f[key]))
	}
	if len(list.Items()) == 0 {
		return nil, problem(Empty, "%q is an empty list", key)
	}
	out := make([]*jinja.Dict, len(list.Items()))
	for i, item := range list.Items() {
		if out[i], ok = item.(*jinja.Dict); !ok {
			return nil, problem(WrongType, "%s: entry %d is no object", key, i+1)
		}
	}
	return out, nil
}

// checkMessage refuses a message that no template could render as meant.
func checkMessage(m *jinja.Dict) *Problem {
	role, ok := m.Get("role")
	if !ok {
		if _, sharegpt := m.Get("from"); sharegpt {
			return problem(WrongType, `it has "from" and no "role"`).withHint(`ShareGPT's from and value stand under "conversations"`)
		}
		return problem(WrongType, `it has no "role"`)
	}
	if s, ok := role.(jinja.String); !ok || s.Text == "" {
		return problem(WrongType, `"role" must be a string such as "user" or "assistant"`)
	}
	content, _ := m.Get("content")
	switch content := content.(type) {
	case jinja.String:
		return nil
	case *jinja.List:
		return checkParts(content)
	case jinja.None, nil:
		if _, calls := m.Get("tool_calls"); calls {
			return nil
		}
		return problem(WrongType, `it has no "content"`)
	}
	return problem(WrongType, `"content" must be a string or a list of parts`)
}

// checkParts looks at content that comes in parts.
func checkParts(parts *jinja.List) *Problem {
	for i, item := range parts.Items() {
		part, ok := item.(*jinja.Dict)
		if !ok {
			if _, ok := item.(jinja.String); ok {
				continue
			}
			return problem(WrongType, `"content": part %d is no object`, i+1)
		}
		kind, _ := part.Get("type")
		if s, ok := kind.(jinja.String); ok && s.Text != "text" {
			return problem(WrongType, `"content": part %d is of type %s; hone trains on text`, i+1, short(s.Text))
		}
	}
	return nil
}

// checkSaid refuses messages of which none says anything.
func checkSaid(messages []*jinja.Dict) *Problem {
	for _, m := range messages {
		content, _ := m.Get("content")
		if s, ok := content.(jinja.String); !ok || strings.TrimSpace(s.Text) != "" {
			return nil
		}
	}
	return problem(Empty, "its messages are all empty")
}

// newMessage is a message of plain text.
func newMessage(role, content string) *jinja.Dict {
	m := jinja.NewDict()
	m.Set("role", jinja.String{Text: role})
	m.Set("content", jinja.String{Text: content})
	return m
}
