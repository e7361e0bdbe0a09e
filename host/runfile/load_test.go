package runfile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// plugins are some that the tests' run files name.
type plugins struct{}

func (plugins) Schema(kind, name string) (config.Schema, error) {
	text, whole := config.Of(config.String), config.Of(config.Int)
	known := map[string]config.Schema{
		"kernels cpu": {Attributes: []config.Attribute{
			{Name: "threads", Type: whole, Default: 0.0, Doc: "Threads; 0 takes one for each core."},
			{Name: "recompute", Type: text, Default: "auto", OneOf: []string{"auto", "none", "full"}, Doc: "What is recomputed in the backward pass."},
		}},
		"kernels cuda": {Attributes: []config.Attribute{
			{Name: "gpus", Type: config.ListOf(config.String), Default: []any{"0"}, Doc: "Which GPUs."},
		}},
		"logger tensorboard": {Attributes: []config.Attribute{{Name: "log_dir", Type: text, Path: true, Doc: "Folder."}}},
		"logger wandb": {Attributes: []config.Attribute{
			{Name: "project", Type: text, Default: "hone", Doc: "Project."},
			{Name: "api_key", Type: text, Sensitive: true, Doc: "Key."},
			{Name: "tags", Type: config.ListOf(config.String), Doc: "Tags."},
			{Name: "labels", Type: config.MapOf(config.Int), Doc: "Labels."},
		}},
		"logger strict": {Attributes: []config.Attribute{{Name: "url", Type: text, Required: true, Doc: "Where it listens."}}},
	}
	if s, ok := known[kind+" "+name]; ok {
		return s, nil
	}
	return config.Schema{}, fmt.Errorf("no plugin %q is installed; there are %s", kind+"/"+name, "cpu, cuda, tensorboard and wandb")
}

// a testFile is a run file whose first lines say how it is loaded.
func loadFile(t testing.TB, path string) (*runfile.Run, runfile.Diagnostics) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options := runfile.Options{Plugins: plugins{}}
	environment := map[string]string{"HOME": "/home/ada"}
	for line := range strings.Lines(string(src)) {
		directive, ok := strings.CutPrefix(strings.TrimSpace(line), "#! ")
		if !ok {
			break
		}
		verb, rest, _ := strings.Cut(directive, " ")
		switch verb {
		case "env":
			name, value, _ := strings.Cut(rest, "=")
			environment[name] = value
		case "var":
			options.Vars = append(options.Vars, rest)
		case "var-file":
			options.VarFiles = append(options.VarFiles, filepath.Join(filepath.Dir(path), rest))
		case "run":
			options.Run = rest
		case "version":
			options.Version = rest
		}
	}
	options.LookupEnv = func(name string) (string, bool) {
		v, ok := environment[name]
		return v, ok
	}
	return runfile.Load(t.Context(), path, options)
}

// golden compares with a golden file, in which $DIR stands for the tests' folder.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	got = bytes.ReplaceAll(got, []byte(here), []byte("$DIR"))
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", path, got, want)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return paths
}

func TestGoodFiles(t *testing.T) {
	for _, path := range files(t, "testdata/good/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			run, diags := loadFile(t, path)
			var text bytes.Buffer
			if err := diags.Write(&text, 0, false); err != nil {
				t.Fatal(err)
			}
			if run == nil {
				t.Fatal(text.String())
			}
			got, err := json.MarshalIndent(run, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if text.Len() > 0 {
				got = append(got, "\n\n"+text.String()...)
			}
			golden(t, path+".want", append(got, '\n'))
			checkSecrets(t, string(got))
			roundTrip(t, run)
		})
	}
}

// roundTrip reads the run's JSON back: it is the same run.
func roundTrip(t *testing.T, run *runfile.Run) {
	t.Helper()
	first, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	var again runfile.Run
	if err := json.Unmarshal(first, &again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(&again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v: read back, it is\n%s\nwant\n%s", err, second, first)
	}
	if differences := run.Resumable(&again); len(differences) > 0 {
		t.Errorf("it differs from itself: %v", differences)
	}
	if !reflect.DeepEqual(run.Train, again.Train) || !reflect.DeepEqual(run.Data, again.Data) {
		t.Errorf("read back, it is %+v", again)
	}
}

func TestBadFiles(t *testing.T) {
	for _, path := range files(t, "testdata/bad/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			run, diags := loadFile(t, path)
			if run != nil || !diags.HasErrors() {
				t.Fatal("it was taken")
			}
			var text bytes.Buffer
			// Not wrapped: where lines break hangs on the length of paths.
			if err := diags.Write(&text, 0, false); err != nil {
				t.Fatal(err)
			}
			golden(t, path+".want", text.Bytes())
			checkSecrets(t, text.String())
			for _, d := range diags.List {
				if d.Summary == "" || d.Detail == "" {
					t.Errorf("it says too little: %+v", d)
				}
			}
			if lines := strings.Count(diags.Err().Error(), "\n") + 1; lines > len(diags.List) {
				t.Errorf("the error has %d lines for %d diagnostics", lines, len(diags.List))
			}
		})
	}
}

// checkSecrets reports the tests' secrets in a text.
func checkSecrets(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "hush") {
		t.Errorf("it shows a secret:\n%s", text)
	}
}
