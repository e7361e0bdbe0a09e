package data

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
)

// A Template turns a chat into text; [*chat.Template] does. Several goroutines
// may use it at once.
type Template interface {
	Render(ctx context.Context, c chat.Conversation, options chat.Options) (string, error)
	RenderTurns(ctx context.Context, c chat.Conversation) (chat.Rendered, error)
}

// ChooseTemplate is the template that a user means by a setting: its text, the
// name of one of the model's own, or the path of a file. With "" it is the
// model's own, the one for tools where a chat has tools; nil where the model has
// none.
func ChooseTemplate(setting string, own chat.Sources, config chat.Config) (Template, error) {
	if setting == "" {
		return ownTemplate(own, config)
	}
	source, name := setting, "data.chat_template"
	switch {
	case strings.Contains(setting, "{{") || strings.Contains(setting, "{%"):
	case slices.Contains(own.Names(), setting):
		var err error
		if source, err = own.Choose(setting, false); err != nil {
			return nil, err
		}
		name = "chat template " + setting
	default:
		var err error
		if source, err = readTemplate(setting, own); err != nil {
			return nil, err
		}
		name = setting
	}
	config.Name = name
	t, err := chat.New(source, config)
	if err != nil {
		return nil, err // and no interface that holds a nil
	}
	return t, nil
}

// ownTemplate is a model's own template.
func ownTemplate(own chat.Sources, config chat.Config) (Template, error) {
	if !own.Found() {
		return nil, nil
	}
	var templates [2]*chat.Template // for chats without tools and with them
	for i := range templates {
		source, err := own.Choose("", i == 1)
		if err != nil {
			return nil, err
		}
		if i == 1 && source == templates[0].Source() {
			return templates[0], nil
		}
		if templates[i], err = chat.New(source, config); err != nil {
			return nil, err
		}
	}
	return &toolTemplate{plain: templates[0], tools: templates[1]}, nil
}

// maxTemplate bounds a template's file, in bytes.
const maxTemplate = 2 << 20

// readTemplate reads the template's file.
func readTemplate(path string, own chat.Sources) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		err = fmt.Errorf("chat template: %w", err)
		if names := own.Names(); len(names) > 1 {
			err = fmt.Errorf("%w, and the model's own are named %s", err, strings.Join(names, ", "))
		}
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	if len(text) > maxTemplate {
		return "", fmt.Errorf("chat template %s: more than %d MiB", path, maxTemplate>>20)
	}
	return string(text), nil
}

// A toolTemplate is two templates, of which one is for chats with tools.
type toolTemplate struct{ plain, tools *chat.Template }

func (t *toolTemplate) of(c chat.Conversation) *chat.Template {
	switch c.Tools.(type) {
	case nil, jinja.None:
		return t.plain
	}
	return t.tools
}

// Render renders with the template for the chat.
func (t *toolTemplate) Render(ctx context.Context, c chat.Conversation, options chat.Options) (string, error) {
	return t.of(c).Render(ctx, c, options)
}

// RenderTurns renders with the template for the chat.
func (t *toolTemplate) RenderTurns(ctx context.Context, c chat.Conversation) (chat.Rendered, error) {
	return t.of(c).RenderTurns(ctx, c)
}

var (
	_ Template = (*chat.Template)(nil)
	_ Template = (*toolTemplate)(nil)
)
