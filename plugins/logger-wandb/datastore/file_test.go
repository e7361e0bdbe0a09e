package datastore

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func row(step int64) Entry {
	return Entry{History{Step: step, Items: []Item{{Key: []string{"x"}, Value: "1"}}}, Mark{1, step}}
}

// reopened is the log at path opened again, and the marks and numbers of its
// records.
func reopened(t *testing.T, path string) (f *File, marks []Mark, nums []int64) {
	t.Helper()
	f, err := OpenFile(path, func(p Parsed) {
		marks, nums = append(marks, p.Mark), append(nums, p.Num)
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, marks, nums
}

func add(t *testing.T, f *File, entries ...Entry) {
	t.Helper()
	if err := f.Append(entries...); err != nil {
		t.Fatal(err)
	}
}

func TestFileGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run-x.wandb")
	f, marks, _ := reopened(t, path)
	if len(marks) != 0 {
		t.Errorf("a new log has %v", marks)
	}
	add(t, f, Entry{Record: Header{Producer: "p"}})
	add(t, f, row(1), row(2))
	add(t, f, Entry{Record: Exit{Code: 1}})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, marks, nums := reopened(t, path)
	if want := []Mark{{}, {1, 1}, {1, 2}}; !reflect.DeepEqual(marks, want) || !reflect.DeepEqual(nums, []int64{1, 2, 3}) {
		t.Errorf("%v, %v", marks, nums)
	}
	add(t, f, row(3))
	f.Close()
	f, marks, nums = reopened(t, path)
	if want := []Mark{{}, {1, 1}, {1, 2}, {1, 3}}; !reflect.DeepEqual(marks, want) || !reflect.DeepEqual(nums, []int64{1, 2, 3, 4}) {
		t.Errorf("after the exit was cut off: %v, %v", marks, nums)
	}
	if err := f.Restart(); err != nil {
		t.Fatal(err)
	}
	add(t, f, row(9))
	f.Close()
	if _, marks, nums = reopened(t, path); !reflect.DeepEqual(marks, []Mark{{1, 9}}) || nums[0] != 1 {
		t.Errorf("after a restart: %v, %v", marks, nums)
	}
}

func TestForeignFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run-x.wandb")
	if err := os.WriteFile(path, []byte("dear diary"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, func(Parsed) {}); !errors.Is(err, ErrForeign) {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "dear diary" {
		t.Errorf("%q, %v", got, err)
	}
}

// fullDisk is a file of which the second half of a write is refused.
type fullDisk struct {
	output
	full, readOnly bool
}

var errFull = errors.New("no space left")

func (d *fullDisk) Write(b []byte) (int, error) {
	if !d.full {
		return d.output.Write(b)
	}
	n, _ := d.output.Write(b[:len(b)/2])
	return n, errFull
}

func (d *fullDisk) Truncate(size int64) error {
	if d.readOnly {
		return errors.New("read-only")
	}
	return d.output.Truncate(size)
}

func TestFailedWrite(t *testing.T) {
	tests := map[string]struct {
		readOnly bool
		want     []Mark
	}{
		"is undone":                  {false, []Mark{{1, 1}, {1, 3}}},
		"that cannot be undone ends": {true, []Mark{{1, 1}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "run-x.wandb")
			f, _, _ := reopened(t, path)
			disk := &fullDisk{output: f.file, readOnly: test.readOnly}
			f.file = disk
			add(t, f, row(1))
			disk.full = true
			if err := f.Append(row(2)); !errors.Is(err, errFull) {
				t.Errorf("on a full disk: %v", err)
			}
			disk.full = false
			if err := f.Append(row(3)); (err != nil) != test.readOnly {
				t.Errorf("once there is room: %v", err)
			}
			f.Close()
			if _, marks, _ := reopened(t, path); !reflect.DeepEqual(marks, test.want) {
				t.Errorf("%v, want %v", marks, test.want)
			}
		})
	}
}
