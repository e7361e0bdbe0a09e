package chat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/jinja"
)

// frozen is the clock of gen_templates.py, tokens its special tokens.
func frozen() time.Time { return time.Date(2024, 2, 5, 14, 3, 9, 0, time.UTC) }

func tokens() map[string]string {
	return map[string]string{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
}

// sample is a conversation of testdata/conversations.json.
type sample struct {
	conversation Conversation
	options      Options
}

func dicts(t testing.TB, raw json.RawMessage) []*jinja.Dict {
	t.Helper()
	v, err := jinja.ParseJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out []*jinja.Dict
	for _, item := range v.(*jinja.List).Items() {
		out = append(out, item.(*jinja.Dict))
	}
	return out
}

func samples(t testing.TB) map[string]sample {
	t.Helper()
	data, err := os.ReadFile("testdata/conversations.json")
	if err != nil {
		t.Fatal(err)
	}
	var file []struct {
		Name                                  string
		Messages, Tools, Documents, Variables json.RawMessage
		Prompt                                bool
		Continue                              string
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	value := func(raw json.RawMessage) jinja.Value {
		if raw == nil {
			return nil
		}
		v, err := jinja.ParseJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	out := map[string]sample{}
	for _, c := range file {
		s := sample{
			conversation: Conversation{Messages: dicts(t, c.Messages), Tools: value(c.Tools), Documents: value(c.Documents)},
			options:      Options{AddGenerationPrompt: c.Prompt, ContinueFinal: c.Continue},
		}
		if v := value(c.Variables); v != nil {
			s.conversation.Variables = v.(*jinja.Dict)
		}
		out[c.Name] = s
	}
	return out
}

// answer is a line of gen_templates.py.
type answer struct {
	Template, Conversation string
	Want                   *string
	Spans                  [][2]int // in characters
	Error                  string
}

func readAnswers(t testing.TB, lines []byte) []answer {
	t.Helper()
	var out []answer
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var a answer
		if err := json.Unmarshal(scanner.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

func readTemplate(t testing.TB, path string) *Template {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	template, err := New(string(source), Config{Name: filepath.Base(path), SpecialTokens: tokens(), Now: frozen})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// compare holds the renders of templates below a folder to transformers' answers.
// It returns how many were the same text, and how many failed on both sides.
func compare(t *testing.T, folder string, answers []answer) (same, failed int) {
	t.Helper()
	all := samples(t)
	templates := map[string]*Template{}
	for _, a := range answers {
		template, ok := templates[a.Template]
		if !ok {
			template = readTemplate(t, filepath.Join(folder, a.Template))
			templates[a.Template] = template
		}
		s, ok := all[a.Conversation]
		if !ok {
			t.Fatalf("conversations.json has no %q", a.Conversation)
		}
		got, err := template.Render(context.Background(), s.conversation, s.options)
		switch {
		case a.Error != "" && err == nil:
			t.Errorf("%s, %q: renders %q; transformers raises %s", a.Template, a.Conversation, got, a.Error)
		case a.Error == "" && err != nil:
			t.Errorf("%s, %q: %v; transformers renders %q", a.Template, a.Conversation, err, *a.Want)
		case a.Error == "" && got != *a.Want:
			t.Errorf("%s, %q: renders\n%q\ntransformers\n%q", a.Template, a.Conversation, got, *a.Want)
		case a.Error != "":
			failed++
			compareErrors(t, a, err)
		default:
			same++
			if a.Spans != nil && template.HasGenerationBlocks() && !s.options.AddGenerationPrompt {
				compareSpans(t, template, s.conversation, a)
			}
		}
	}
	t.Logf("%d templates: %d texts are the same, %d fail on both sides", len(templates), same, failed)
	return same, failed
}

// compareErrors checks that what a template raises has its message, and that no
// rendering fails for want of a feature.
func compareErrors(t *testing.T, a answer, err error) {
	t.Helper()
	message, raised := strings.CutPrefix(a.Error, "TemplateError: ")
	var e *jinja.Error
	switch {
	case jinja.KindOf(err) == jinja.Unsupported || jinja.KindOf(err) == jinja.Limit || jinja.KindOf(err) == jinja.Syntax:
		t.Errorf("%s, %q: %v; transformers raises %s", a.Template, a.Conversation, err, a.Error)
	case raised && (!errors.As(err, &e) || e.Kind != jinja.Raised || !strings.HasPrefix(e.Message, message)):
		t.Errorf("%s, %q: %v; the template raises %q", a.Template, a.Conversation, err, message)
	}
}

// compareSpans holds the turns to transformers' assistant mask.
func compareSpans(t *testing.T, template *Template, c Conversation, a answer) {
	t.Helper()
	got, err := template.RenderTurns(context.Background(), c)
	if err != nil {
		t.Errorf("%s, %q: %v", a.Template, a.Conversation, err)
		return
	}
	var want [][2]int
	for _, span := range a.Spans {
		if span[0] < span[1] {
			want = append(want, span)
		}
	}
	if len(got.Turns) != len(want) {
		t.Errorf("%s, %q: %d turns, transformers has %d", a.Template, a.Conversation, len(got.Turns), len(want))
		return
	}
	for i, turn := range got.Turns {
		start := utf8.RuneCountInString(got.Text[:turn.Start])
		end := utf8.RuneCountInString(got.Text[:turn.End])
		if start != want[i][0] || end != want[i][1] {
			t.Errorf("%s, %q: turn %d is %q, transformers has %v", a.Template, a.Conversation, i, got.Text[turn.Start:turn.End], want[i])
		}
	}
}

// TestTemplates renders the templates in testdata as transformers does.
func TestTemplates(t *testing.T) {
	lines, err := os.ReadFile("testdata/templates.json")
	if err != nil {
		t.Fatal(err)
	}
	if same, failed := compare(t, "testdata/templates", readAnswers(t, lines)); same < 100 || failed == 0 {
		t.Errorf("templates.json compares %d texts and %d failures only", same, failed)
	}
}

// TestRealTemplates renders the *.jinja files below the folder that
// HONE_TEST_CHAT_TEMPLATES names, as transformers in the Python that
// HONE_TEST_PYTHON names does.
func TestRealTemplates(t *testing.T) {
	folder, python := os.Getenv("HONE_TEST_CHAT_TEMPLATES"), os.Getenv("HONE_TEST_PYTHON")
	if folder == "" || python == "" {
		t.Skip("set HONE_TEST_CHAT_TEMPLATES to a folder of chat templates and HONE_TEST_PYTHON to a Python with transformers")
	}
	lines, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "gen_templates.py"), folder).Output()
	if err != nil {
		t.Fatalf("gen_templates.py: %v", err)
	}
	if same, _ := compare(t, folder, readAnswers(t, lines)); same == 0 {
		t.Errorf("no template in %s was compared", folder)
	}
}
