package data

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
)

const functionCall = "function_call"

// speakerRole is the role of who speaks in ShareGPT's files and their
// descendants; "" for nobody known. A function_call is the assistant's too.
func speakerRole(name string) string {
	switch name {
	case "human", "user":
		return "user"
	case "gpt", "assistant", "chatgpt", "model", "bot", "bing", "bard", functionCall:
		return chat.Assistant
	case "system":
		return "system"
	case "tool", "observation", "function_response", "ipython":
		return "tool"
	}
	return ""
}

// conversations reads a row of the shape ShapeConversations. Messages that have
// role and content already are taken as they are.
func (f fields) conversations() (c chat.Conversation, p *Problem) {
	if c, p = f.around(); p != nil {
		return c, p
	}
	turns, p := f.objects("conversations")
	if p != nil {
		return c, p
	}
	system, p := f.optionalText("system")
	if p != nil {
		return c, p
	}
	for i, turn := range turns {
		m, p := fromShareGPT(turn)
		if p != nil {
			p.Message = fmt.Sprintf("conversations, message %d: %s", i+1, p.Message)
			return c, p
		}
		c.Messages = append(c.Messages, m)
	}
	if system != "" && chat.Role(c.Messages[0]) != "system" {
		c.Messages = append([]*jinja.Dict{chat.NewMessage("system", system)}, c.Messages...)
	}
	return c, checkSaid(c.Messages)
}

// fromShareGPT is a message with role and content.
func fromShareGPT(turn *jinja.Dict) (*jinja.Dict, *Problem) {
	from, ok := turn.Get("from")
	if !ok {
		if p := checkMessage(turn); p != nil {
			return nil, problem(WrongType, `it has neither "from" and "value" nor "role" and "content"`)
		}
		return turn, nil
	}
	speaker, ok := from.(jinja.String)
	if !ok {
		return nil, problem(WrongType, `"from" must be a string such as "human" or "gpt"`)
	}
	v, _ := turn.Get("value")
	value, ok := v.(jinja.String)
	if !ok {
		return nil, problem(WrongType, `"value" must be a string`)
	}
	name := strings.ToLower(strings.TrimSpace(speaker.Text))
	m := chat.NewMessage(speakerRole(name), value.Text)
	switch {
	case name == functionCall:
		m = functionCallMessage(value.Text)
	case speakerRole(name) == "":
		return nil, problem(WrongType, `"from" is %s, which is nobody that hone knows`, short(speaker.Text)).
			withHint("human, gpt, system, tool, observation and function_call are known")
	}
	for key, value := range turn.All {
		if key != "from" && key != "value" {
			m.Set(key, value)
		}
	}
	return m, nil
}

// functionCallMessage is the assistant's call of a function, which is written as
// JSON: one object with name and arguments, or a list of them. What is neither
// stays text.
func functionCallMessage(value string) *jinja.Dict {
	text := chat.NewMessage(chat.Assistant, value)
	v, err := jinja.ParseJSON([]byte(value))
	if err != nil {
		return text
	}
	calls := []jinja.Value{v}
	if list, ok := v.(*jinja.List); ok {
		calls = list.Items()
	}
	var out []jinja.Value
	for _, call := range calls {
		function, ok := call.(*jinja.Dict)
		if !ok {
			return text
		}
		if _, ok := function.Get("name"); !ok {
			return text
		}
		entry := jinja.NewDict()
		entry.Set("type", jinja.String{Text: "function"})
		entry.Set("function", function)
		out = append(out, entry)
	}
	if len(out) == 0 {
		return text
	}
	m := chat.NewMessage(chat.Assistant, "")
	m.Set("tool_calls", jinja.NewList(out...))
	return m
}
