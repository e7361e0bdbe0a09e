package data

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
)

// unweighted reports for each message whether it has a weight of 0: a turn of the
// assistant that is not to be learned, as OpenAI's fine-tuning files have it.
func unweighted(messages []*jinja.Dict) []bool {
	out := make([]bool, len(messages))
	for i, m := range messages {
		w, ok := m.Get("weight")
		out[i] = ok && (w == jinja.Int(0) || w == jinja.Float(0) || w == jinja.Bool(false))
	}
	return out
}

// lastTurn is the number of the last message of the assistant, or -1.
func lastTurn(messages []*jinja.Dict) int {
	for i := len(messages) - 1; i >= 0; i-- {
		if chat.Role(messages[i]) == chat.Assistant {
			return i
		}
	}
	return -1
}

// beginning is a conversation's first n messages.
func beginning(c chat.Conversation, n int) chat.Conversation {
	c.Messages = c.Messages[:n]
	return c
}

// messages reads a row of the shape ShapeMessages.
func (f fields) messages() (c chat.Conversation, p *Problem) {
	if c, p = f.around(); p != nil {
		return c, p
	}
	if c.Messages, p = f.messageList("messages"); p != nil {
		return c, p
	}
	return c, checkSaid(c.Messages)
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
func (f fields) around() (c chat.Conversation, p *Problem) {
	if c.Tools, p = f.dicts("tools"); p != nil {
		return c, p
	}
	if c.Documents, p = f.dicts("documents"); p != nil {
		return c, p
	}
	v, p := f.value("chat_template_kwargs")
	if p != nil || v == nil {
		return c, p
	}
	var ok bool
	if c.Variables, ok = v.(*jinja.Dict); !ok {
		return c, problem(WrongType, `"chat_template_kwargs" is %s; it must be an object`, kindOf(f["chat_template_kwargs"]))
	}
	return c, nil
}

// dicts reads the tools that a chat offers, or the documents that it is about: a
// list, or one written as a string of JSON, as tables keep it. An empty one is
// none.
func (f fields) dicts(key string) (jinja.Value, *Problem) {
	v, p := f.value(key)
	if p != nil || v == nil {
		return nil, p
	}
	if s, ok := v.(jinja.String); ok {
		if strings.TrimSpace(s.Text) == "" {
			return nil, nil
		}
		var err error
		if v, err = jinja.ParseJSON([]byte(s.Text)); err != nil {
			return nil, problem(WrongType, "%q is a string that is no JSON: %v", key, err)
		}
		if v == (jinja.None{}) {
			return nil, nil
		}
	}
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, problem(WrongType, "%q must be a list of objects", key)
	}
	if len(list.Items()) == 0 {
		return nil, nil
	}
	for i, item := range list.Items() {
		if _, ok := item.(*jinja.Dict); !ok {
			return nil, problem(WrongType, "%q: entry %d is no object", key, i+1)
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
