package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

func (a *app) chatCommand() *cobra.Command {
	var flags inferenceFlags
	var system string
	cmd := &cobra.Command{
		Use:   "chat MODEL|RUN",
		Short: "Talk to a model, or to what a run made of it",
		Long:  "Talk to a model, or to what a run made of it. A line is a message; /reset begins anew, /exit ends.",
		Args:  exactly(1, "a model or the folder of a run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.infer(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			return errors.Join(i.talk(cmd.Context(), system), i.close(cmd.Context()))
		},
	}
	flags.add(cmd, 0.7, 512)
	cmd.Flags().StringVar(&system, "system", "", "a system `message` to begin with")
	return cmd
}

// maxLine bounds a message that is typed or piped in.
const maxLine = 1 << 20

// talk reads messages and answers them until the end of the input.
func (i *inference) talk(ctx context.Context, system string) error {
	if i.encoder.Template == nil {
		return fault.New(fault.BadInput, "the model has no chat template").WithHint("use hone generate -raw -prompt …")
	}
	f, ok := i.app.In.(*os.File)
	interactive := ok && term.IsTerminal(int(f.Fd()))
	begin := func() []*jinja.Dict {
		if system == "" {
			return nil
		}
		return []*jinja.Dict{chat.NewMessage("system", system)}
	}
	messages := begin()
	lines := readLines(ctx, i.app.In)
	for {
		if interactive {
			fmt.Fprint(i.app.Out, "> ")
		}
		var next typed
		select {
		case <-ctx.Done():
			return ctx.Err()
		case next = <-lines:
		}
		if next.err != nil {
			return end(next.err)
		}
		switch line := strings.TrimSpace(next.line); line {
		case "":
			continue
		case "/exit", "/quit":
			return nil
		case "/reset":
			messages = begin()
			continue
		default:
			messages = append(messages, chat.NewMessage("user", line))
		}
		ids, left, err := i.chatPrompt(ctx, messages, len(begin()))
		if err != nil {
			return err
		}
		messages = left
		answer, err := i.write(ctx, ids, func(text string) { fmt.Fprint(i.app.Out, text) })
		if err != nil {
			return err
		}
		fmt.Fprintln(i.app.Out)
		messages = append(messages, chat.NewMessage("assistant", answer))
	}
}

// chatPrompt is a conversation as tokens. Where they leave no room for an answer of
// the length that was asked for, or of half of what there is, the oldest messages
// after the first kept ones are dropped; it returns those that are left.
func (i *inference) chatPrompt(ctx context.Context, messages []*jinja.Dict, kept int) ([]int32, []*jinja.Dict, error) {
	answer := min(i.flags.maxTokens, i.length/2)
	for {
		ids, err := i.encoder.ChatPrompt(ctx, chat.Conversation{Messages: messages})
		if err != nil || len(ids)+answer <= i.length || len(messages) < kept+3 {
			return ids, messages, err
		}
		fmt.Fprintf(i.app.Err, "(the oldest messages are left out: the conversation has %d tokens)\n", len(ids))
		messages = slices.Concat(messages[:kept], messages[kept+2:]) // a question and its answer
	}
}

// typed is a line of the input, or why there are no more.
type typed struct {
	line string
	err  error
}

// readLines reads the input apart from what waits for it: reading cannot be
// interrupted.
func readLines(ctx context.Context, in io.Reader) <-chan typed {
	out := make(chan typed)
	give := func(t typed) bool {
		select {
		case out <- t:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if !give(typed{line: lines.Text()}) {
				return
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.EOF
		}
		give(typed{err: err})
	}()
	return out
}

// end is the error of an input that ended: none, where it was read to its end.
func end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("reading messages: %w", err)
}
