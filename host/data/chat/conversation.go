package chat

import (
	"fmt"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

// A Conversation is what a template is given.
type Conversation struct {
	// Messages have a "role", mostly a "content" (a string, or a list of
	// parts), and any other fields, which the template sees as they are and in
	// their order: "name", "tool_calls", "reasoning_content". Fields that are
	// None are left out. The messages are not changed.
	Messages []*jinja.Dict
	// Tools and Documents are lists of dicts, or nil.
	Tools, Documents jinja.Value
	// Variables are further variables, such as enable_thinking; nil for none.
	Variables *jinja.Dict
}

// Assistant is the role whose turns a model learns.
const Assistant = "assistant"

// NewMessage is a message of a role and a text.
func NewMessage(role, content string) *jinja.Dict {
	m := jinja.NewDict()
	m.Set("role", jinja.String{Text: role})
	m.Set("content", jinja.String{Text: content})
	return m
}

// Role is a message's role; "" if it has none that is a string.
func Role(message *jinja.Dict) string { return textField(message, "role") }

// textField is a message's field, if that is a string.
func textField(message *jinja.Dict, name string) string {
	v, _ := message.Get(name)
	s, _ := v.(jinja.String)
	return s.Text
}

// reasoningFields are the names under which datasets give a message's reasoning,
// the one that counts first.
var reasoningFields = [...]string{"reasoning_content", "thinking", "reasoning"}

// isReasoning reports whether a field is one of them.
func isReasoning(field string) bool {
	for _, name := range reasoningFields {
		if name == field {
			return true
		}
	}
	return false
}

// normalized are the messages as templates are given them: without fields that are
// None, since many templates would print "None"; and with reasoning also under the
// two names that templates read. transformers 5 does the same.
func normalized(messages []*jinja.Dict) []*jinja.Dict {
	out := make([]*jinja.Dict, len(messages))
	for i, message := range messages {
		out[i] = withReasoning(withoutNone(message))
	}
	return out
}

func withoutNone(message *jinja.Dict) *jinja.Dict {
	out := jinja.NewDict()
	for key, value := range message.All {
		if _, none := value.(jinja.None); !none && value != nil {
			out.Set(key, value)
		}
	}
	return out
}

func withReasoning(message *jinja.Dict) *jinja.Dict {
	for _, name := range reasoningFields {
		reasoning, ok := message.Get(name)
		if !ok {
			continue
		}
		out := jinja.NewDict()
		out.Set("thinking", reasoning)
		for key, value := range message.All {
			out.Set(key, value)
		}
		out.Set("reasoning_content", reasoning)
		return out
	}
	return message
}

// check refuses conversations that no template could be given.
func (c *Conversation) check() error {
	if len(c.Messages) == 0 {
		return fault.New(fault.BadInput, "the conversation has no messages")
	}
	for i, message := range c.Messages {
		if message == nil {
			return fault.New(fault.BadInput, "message %d of the conversation is missing", i+1)
		}
	}
	for name, list := range map[string]jinja.Value{"tools": c.Tools, "documents": c.Documents} {
		if err := checkDicts(name, list); err != nil {
			return err
		}
	}
	if c.Variables == nil {
		return nil
	}
	for _, name := range []string{"messages", "tools", "documents", "add_generation_prompt"} {
		if _, ok := c.Variables.Get(name); ok {
			return fault.New(fault.BadInput, "the variables of a conversation cannot set %q, which the template is given anyway", name)
		}
	}
	return nil
}

// checkDicts refuses what is no list of dicts, nil or None.
func checkDicts(name string, v jinja.Value) error {
	switch v := v.(type) {
	case nil, jinja.None:
		return nil
	case *jinja.List:
		for i, item := range v.Items() {
			if _, ok := item.(*jinja.Dict); !ok {
				return fault.New(fault.BadInput, "item %d of the %s is no object", i+1, name)
			}
		}
		return nil
	}
	return fault.New(fault.BadInput, "the %s are no list", name).
		WithHint("give %s as a list of objects", name)
}

// variables are the template's variables for messages that are normalized.
func (c *Conversation) variables(tokens map[string]string, messages []*jinja.Dict, prompt bool) *jinja.Dict {
	out := jinja.NewDict()
	for name, token := range tokens {
		out.Set(name, jinja.String{Text: token})
	}
	if c.Variables != nil {
		for name, value := range c.Variables.All {
			out.Set(name, value)
		}
	}
	items := make([]jinja.Value, len(messages))
	for i, message := range messages {
		items[i] = message
	}
	out.Set("messages", jinja.NewList(items...))
	out.Set("tools", orNone(c.Tools))
	out.Set("documents", orNone(c.Documents))
	out.Set("add_generation_prompt", jinja.Bool(prompt))
	return out
}

func orNone(v jinja.Value) jinja.Value {
	if v == nil {
		return jinja.None{}
	}
	return v
}

// describe names a message in errors, counted from 1.
func describe(i int, message *jinja.Dict) string {
	return fmt.Sprintf("message %d (%s)", i+1, Role(message))
}
