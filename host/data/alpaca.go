package data

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
)

// An instruction is a row of the shape ShapeInstruction. A model with a chat
// template sees it as a chat, one without as Alpaca's prompt and the output.
type instruction struct {
	instruction, input, output, system string
	history                            [][2]string // earlier questions and answers
}

// instruction reads a row of the shape ShapeInstruction.
func (f fields) instruction() (*instruction, *Problem) {
	var out instruction
	var p *Problem
	for _, field := range []struct {
		key string
		to  *string
	}{
		{"instruction", &out.instruction},
		{"input", &out.input},
		{"output", &out.output},
		{"system", &out.system},
	} {
		if *field.to, p = f.optionalText(field.key); p != nil {
			return nil, p
		}
	}
	if strings.TrimSpace(out.output) == "" {
		return nil, problem(Empty, `"output" is empty`)
	}
	if strings.TrimSpace(out.instruction) == "" && strings.TrimSpace(out.input) == "" {
		return nil, problem(Empty, `"instruction" is empty`)
	}
	out.history, p = f.history()
	return &out, p
}

// history reads the turns before the instruction: a list of pairs.
func (f fields) history() ([][2]string, *Problem) {
	v, p := f.value("history")
	if p != nil || v == nil {
		return nil, p
	}
	wrong := problem(WrongType, `"history" must be a list of pairs: a question and its answer`)
	list, ok := v.(*jinja.List)
	if !ok {
		return nil, wrong
	}
	var out [][2]string
	for _, item := range list.Items() {
		pair, ok := item.(*jinja.List)
		if !ok || len(pair.Items()) != 2 {
			return nil, wrong
		}
		question, ok1 := pair.Items()[0].(jinja.String)
		answer, ok2 := pair.Items()[1].(jinja.String)
		if !ok1 || !ok2 {
			return nil, wrong
		}
		out = append(out, [2]string{question.Text, answer.Text})
	}
	return out, nil
}

// conversation is the instruction as messages.
func (in *instruction) conversation() (c chat.Conversation) {
	if in.system != "" {
		c.Messages = append(c.Messages, chat.NewMessage("system", in.system))
	}
	for _, turn := range in.history {
		c.Messages = append(c.Messages, chat.NewMessage("user", turn[0]), chat.NewMessage(chat.Assistant, turn[1]))
	}
	question := in.instruction
	if strings.TrimSpace(in.input) != "" {
		question = strings.TrimPrefix(question+"\n\n"+in.input, "\n\n")
	}
	c.Messages = append(c.Messages, chat.NewMessage("user", question), chat.NewMessage(chat.Assistant, in.output))
	return c
}

// The prompts that models fine-tuned on Alpaca's data have learned; see the
// README of Stanford's Alpaca.
const (
	alpacaWithInput = "Below is an instruction that describes a task, paired with an input that provides further context. " +
		"Write a response that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Input:\n%s\n\n### Response:\n"
	alpacaWithoutInput = "Below is an instruction that describes a task. " +
		"Write a response that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Response:\n"
)

// prompt is the instruction as text before its output.
func (in *instruction) prompt() (string, *Problem) {
	if len(in.history) > 0 {
		return "", problem(WrongType, `"history" is a chat, and the model has no chat template`).withHint(chatTemplateHint)
	}
	prompt := fmt.Sprintf(alpacaWithoutInput, in.instruction)
	if strings.TrimSpace(in.input) != "" {
		prompt = fmt.Sprintf(alpacaWithInput, in.instruction, in.input)
	}
	if in.system != "" {
		prompt = in.system + "\n\n" + prompt
	}
	return prompt, nil
}
