package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Name() != lockFile {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestCreateAddsANumber(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "runs")
	for _, want := range []string{"support", "support-2", "support-3"} {
		d, err := Create(parent, "support")
		if err != nil {
			t.Fatal(err)
		}
		if got := filepath.Base(d.Path); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		d.Close()
	}
}

func TestCreateAtRefusesARun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := CreateAt(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(d.Join(RunFile), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if _, err := CreateAt(path); err == nil {
		t.Error("a folder that holds a run was taken for a new one")
	}
}

func TestOneHostAtATime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are not locked there")
	}
	d, err := CreateAt(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.Path); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	d.Close()
	again, err := Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestWriteDir(t *testing.T) {
	d, err := CreateAt(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	path := d.Join(AdapterName)
	write := func(content string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, "w"), []byte(content), 0o644) }
	}
	for _, content := range []string{"first", "second"} {
		if err := WriteDir(path, write(content)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(path, "w")); string(got) != content {
			t.Errorf("got %q, want %q", got, content)
		}
	}
	wantErr := errors.New("disk full")
	if err := WriteDir(path, func(string) error { return wantErr }); !errors.Is(err, wantErr) {
		t.Errorf("got %v, want %v", err, wantErr)
	}
	if got, _ := os.ReadFile(filepath.Join(path, "w")); string(got) != "second" {
		t.Errorf("a failed write left %q", got)
	}
	if got := names(t, d.Path); !slices.Equal(got, []string{AdapterName}) {
		t.Errorf("left %v", got)
	}
}

func TestWriteDirBelowTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"a", "a", "b" + string(filepath.Separator), filepath.Join("c", "d")} {
		err := WriteDir(path, func(dir string) error { return os.WriteFile(filepath.Join(dir, "w"), nil, 0o644) })
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Stat(filepath.Join(path, "w")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := names(t, "."); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("left %v", got)
	}
}

// TestOpenCleans leaves what a host leaves that was killed between any two
// operations of a save.
func TestOpenCleans(t *testing.T) {
	tests := []struct {
		name string
		have []string // folders below checkpoints/
		want []string
	}{
		{"while writing", []string{"step-1", ".step-2.new-77"}, []string{"step-1"}},
		{"between the renames of a replacement", []string{".step-2.old", ".step-2.new-77"}, []string{"step-2"}},
		{"after the renames", []string{".step-2.old", "step-2"}, []string{"step-2"}},
		{"while pruning", []string{".step-1.new-0", "step-2"}, []string{"step-2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run := t.TempDir()
			for _, name := range test.have {
				if err := os.MkdirAll(filepath.Join(run, CheckpointsName, name, "inner"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			d, err := Open(run)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if got := names(t, d.Join(CheckpointsName)); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestCheckpoints(t *testing.T) {
	d, err := CreateAt(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if all, err := d.Checkpoints(); err != nil || len(all) != 0 {
		t.Fatalf("a new run has checkpoints %v, %v", all, err)
	}
	loss := 1.25
	for _, step := range []int64{10, 100, 20, 9} {
		c := &Checkpoint{Step: step, Documents: step * 3, EvalLoss: &loss, Bound: []byte{1, 2}}
		err := d.WriteCheckpoint(c, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "state.bin"), []byte("x"), 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	steps := func() []int64 {
		all, err := d.Checkpoints()
		if err != nil {
			t.Fatal(err)
		}
		var out []int64
		for _, c := range all {
			if c.Documents != 3*c.Step || *c.EvalLoss != loss || !slices.Equal(c.Bound, []byte{1, 2}) {
				t.Errorf("read back %+v", c)
			}
			out = append(out, c.Step)
		}
		return out
	}
	if got := steps(); !slices.Equal(got, []int64{9, 10, 20, 100}) {
		t.Errorf("got %v", got)
	}
	if err := d.Prune(1, d.CheckpointPath(10)); err != nil {
		t.Fatal(err)
	}
	if got := steps(); !slices.Equal(got, []int64{10, 100}) {
		t.Errorf("after pruning: %v", got)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"support": true, "a.b-c_d9": true, "": false, ".hidden": false, "a/b": false, "-x": false, "a b": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) is %v", name, !want)
		}
	}
}
