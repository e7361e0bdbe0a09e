package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

var began = time.Unix(1_700_000_000, 0)

// open opens a new life of the logger, with a clock that stands still.
func open(t *testing.T, run logger.Run) (*wandb, *logger.Opened) {
	t.Helper()
	w := newWandb()
	w.now = func() time.Time { return began.Add(time.Minute) }
	if run.Attempt == 0 {
		run.Attempt = 1
	}
	run.Name, run.Start = "support", began
	opened, err := w.Open(t.Context(), &run)
	if err != nil {
		t.Fatal(err)
	}
	return w, opened
}

// record has one scalar; its time follows from its seq.
func record(attempt, seq, step int64) logger.Record {
	return logger.Record{
		Attempt: attempt, Seq: seq, Step: step, Time: began.Add(time.Duration(seq) * time.Second),
		Scalars: map[string]float64{"train/loss": float64(100*attempt + step)},
	}
}

func log(t *testing.T, w *wandb, records ...logger.Record) {
	t.Helper()
	if err := w.Log(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, w *wandb, status logger.Status) {
	t.Helper()
	if err := w.Close(t.Context(), status); err != nil {
		t.Fatal(err)
	}
}

// folders are the offline runs below a folder.
func folders(t *testing.T, parent string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parent, "wandb", "offline-run-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDescribe(t *testing.T) {
	d, err := newWandb().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Schema.Validate(); err != nil {
		t.Error(err)
	}
	if d.Name != "wandb" || d.Rewind != logger.Keep || !d.Schema.Attribute("api_key").Sensitive {
		t.Errorf("%+v", d)
	}
}

func TestConfiguration(t *testing.T) {
	tests := []struct {
		name  string
		block map[string]any
		path  []string // of the diagnostic; nil: none
		says  string
	}{
		{"nothing", nil, nil, ""},
		{"everything", map[string]any{
			"project": "p", "entity": "e", "name": "n", "group": "g", "job_type": "j", "tags": []any{"a"}, "notes": "x",
			"dir": "d", "mode": "offline", "api_key": "k",
		}, nil, ""},
		{"online", map[string]any{"mode": "online"}, []string{"mode"}, "wandb sync DIR"},
		{"another mode", map[string]any{"mode": "dryrun"}, []string{"mode"}, "dryrun"},
		{"empty project", map[string]any{"project": ""}, []string{"project"}, "no name"},
		{"project with its team", map[string]any{"project": "team/p"}, []string{"project"}, "entity"},
		{"long project", map[string]any{"project": strings.Repeat("p", 129)}, []string{"project"}, "128"},
		{"entity with a project", map[string]any{"entity": "team/p"}, []string{"entity"}, "project"},
		{"long tag", map[string]any{"tags": []any{"a", strings.Repeat("ü", 65)}}, []string{"tags", "1"}, "64"},
		{"empty tag", map[string]any{"tags": []any{""}}, []string{"tags", "0"}, "64"},
		{"unknown attribute", map[string]any{"projekt": "p"}, []string{"projekt"}, "projekt"},
		{"wrong type", map[string]any{"project": 3.0}, []string{"project"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode(test.block)
			if test.path == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			_, err = newWandb().Open(t.Context(), &logger.Run{Directory: t.TempDir(), Config: test.block})
			var fe *fault.Error
			if !errors.As(err, &fe) || fe.Code != fault.InvalidConfig || len(fe.Diagnostics) != 1 {
				t.Fatalf("%v", err)
			}
			d := fe.Diagnostics[0]
			if strings.Join(d.Path, ".") != strings.Join(test.path, ".") || !strings.Contains(d.String(), test.says) {
				t.Errorf("%v: %s; want %v: …%s…", d.Path, d, test.path, test.says)
			}
		})
	}
	two := map[string]any{"mode": "online", "project": ""}
	_, err := decode(two)
	if diags := (config.Diagnostics{}); !errors.As(err, &diags) || len(diags) != 2 {
		t.Errorf("two mistakes: %v", err)
	}
}

func TestDisabled(t *testing.T) {
	dir := t.TempDir()
	w, opened := open(t, logger.Run{Directory: dir, Config: map[string]any{"mode": "disabled"}})
	log(t, w, record(1, 1, 1))
	end(t, w, logger.Status{State: "finished"})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 || opened.Seq != 0 {
		t.Errorf("%v, %v, %v", entries, err, opened)
	}
}

func TestOrderOfCalls(t *testing.T) {
	w, _ := open(t, logger.Run{Directory: t.TempDir()})
	if _, err := w.Open(t.Context(), &logger.Run{Directory: t.TempDir()}); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("open twice: %v", err)
	}
	end(t, w, logger.Status{State: "finished"})
	if err := w.Log(t.Context(), nil); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("log after close: %v", err)
	}
	end(t, w, logger.Status{State: "finished"})
	if err := newWandb().Log(t.Context(), nil); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("log before open: %v", err)
	}
}

// TestPlace has a run find its W&B run again: by its folder, wherever that was
// moved, and in a folder that runs share.
func TestPlace(t *testing.T) {
	base, shared := t.TempDir(), t.TempDir()
	run := func(name string, attempt int64, block map[string]any) *logger.Opened {
		t.Helper()
		dir := filepath.Join(base, name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		w, opened := open(t, logger.Run{Directory: dir, Attempt: attempt, Config: block})
		log(t, w, record(attempt, attempt, attempt))
		end(t, w, logger.Status{State: "interrupted"})
		return opened
	}
	run("a", 1, nil)
	if err := os.Rename(filepath.Join(base, "a"), filepath.Join(base, "moved")); err != nil {
		t.Fatal(err)
	}
	if opened := run("moved", 2, nil); opened.Seq != 1 || len(folders(t, filepath.Join(base, "moved"))) != 1 {
		t.Errorf("a run that was moved: %+v", opened)
	}
	elsewhere := map[string]any{"dir": shared}
	run("b", 1, elsewhere)
	run("c", 1, elsewhere)
	if opened := run("b", 2, elsewhere); opened.Seq != 1 || len(folders(t, shared)) != 2 {
		t.Errorf("two runs that share a folder: %+v, %v", opened, folders(t, shared))
	}
	if opened := run("b", 3, nil); opened.Seq != 0 || len(folders(t, filepath.Join(base, "b"))) != 1 {
		t.Errorf("a run whose dir was changed: %+v", opened)
	}
	before, after := folders(t, shared), folders(t, filepath.Join(base, "b"))
	id := after[0][len(after[0])-8:]
	if !strings.HasSuffix(before[0], id) && !strings.HasSuffix(before[1], id) {
		t.Errorf("its ID changed: %v, %v", before, after)
	}
	for _, damage := range []string{"{", `{"run_id":"../../x"}`} {
		if err := os.WriteFile(filepath.Join(base, "b", stateFile), []byte(damage), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := newWandb().Open(t.Context(), &logger.Run{Directory: filepath.Join(base, "b")})
		if !errors.Is(err, fault.Storage) || !strings.Contains(err.Error(), stateFile) {
			t.Errorf("a damaged note %s: %v", damage, err)
		}
	}
}

func TestNotes(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	_, opened := open(t, logger.Run{Directory: filepath.Join(dir, "runs", "it's")})
	want := []string{`wandb sync 'runs/it'\''s/` + strings.TrimPrefix(folders(t, filepath.Join(dir, "runs", "it's"))[0], filepath.Join(dir, "runs", "it's")+"/") + `'`}
	if !reflect.DeepEqual(opened.Notes, want) {
		t.Errorf("%q, want %q", opened.Notes, want)
	}
}
