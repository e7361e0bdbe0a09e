package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func at(seconds float64) time.Time { return time.UnixMicro(int64(seconds * 1e6)) }

func must(t *testing.T) func(Value, error) Value {
	return func(v Value, err error) Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// goldenEvents are those of testdata/gen_events.py.
func goldenEvents(t *testing.T) []Event {
	t.Helper()
	png, err := os.ReadFile("testdata/dot.png")
	if err != nil {
		t.Fatal(err)
	}
	hparams := HParams{
		"adapter.rank": 16.0, "model.source": "hf://a/b", "train.packing": false, "warmup": 0.0,
		"left.out": []string{"of no type that can be written"},
	}
	start := at(1700000000)
	return []Event{
		{Time: at(1700000000.25), Version: FileVersion},
		{Time: at(1700000000.5), Restart: true},
		{Time: at(1700000000.5), Values: []Value{
			Experiment("support", start, hparams, []string{"train/loss", "eval/loss"}),
			SessionStart(HParams{"adapter.rank": 16.0}, "g", start),
			SessionStart(HParams{"model.source": "hf://a/b"}, "g", start),
			SessionStart(HParams{"train.packing": false}, "g", start),
			SessionStart(HParams{"warmup": 0.0}, "g", start),
		}},
		{Time: at(1700000001), Step: 1, Mark: Mark{1, 1}, Values: []Value{Scalar("train/loss", 2.5), Scalar("train/grad_norm", 0)}},
		{Time: at(1700000002), Step: 2, Mark: Mark{1, 2}, Values: []Value{
			Scalar("a", math.NaN()), Scalar("b", math.Inf(-1)), Scalar("c", 1e300),
		}},
		{Time: at(1700000003), Step: 3, Mark: Mark{1, 3}, Values: []Value{
			Text("eval/sample", "# héllo\n\nworld"),
			must(t)(NewTable("table", []string{"prompt", "answer"}, [][]string{{"1+1", "2"}, {"", "x"}})),
		}},
		{Time: at(1700000004), Step: 4, Mark: Mark{2, 4}, Values: []Value{
			must(t)(NewHistogram("weights", Histogram{
				Edges: []float64{-2, -1, 0, 2, 4}, Counts: []float64{0, 4, 2, 0}, Sum: 3.5, SumSquares: 9.25,
			})),
			must(t)(NewImage("image", png)),
		}},
		{Time: at(1700000005), Step: 3, Restart: true},
		{Time: at(1700000006), Values: []Value{SessionEnd(Success, at(1700000006))}},
	}
}

func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.tfevents")
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for i, e := range goldenEvents(t) {
		start := len(got)
		got = AppendFrame(got, e.Append(nil))
		if len(got) > len(want) || !bytes.Equal(got[start:], want[start:len(got)]) {
			t.Fatalf("event %d:\n got %q\nwant %q", i, got[start:], want[start:min(len(got), len(want))])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestParseHead(t *testing.T) {
	for i, e := range goldenEvents(t) {
		head, err := ParseHead(e.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		want := Head{Time: seconds(e.Time), Step: e.Step, Version: e.Version, Restart: e.Restart, Mark: e.Mark}
		if head != want {
			t.Errorf("event %d: %+v, want %+v", i, head, want)
		}
	}
	for name, bad := range map[string][]byte{
		"a tag cut off":       {0x80},
		"a field cut off":     {0x09, 1, 2},
		"a length too long":   {0x2a, 200, 1},
		"field number zero":   {0x00, 1},
		"an unfinished group": {0x0b, 8, 1},
	} {
		if _, err := ParseHead(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMark(t *testing.T) {
	if m, ok := ParseMark("hone/3/41"); !ok || m != (Mark{3, 41}) {
		t.Errorf("hone/3/41 parses as %v, %v", m, ok)
	}
	for _, s := range []string{"", "hone", "hone/1", "hone/1/", "hone//1", "hone/1/2/3", "hone/+1/2", "hone/01/2", "torch/1/2", "tensorboard.summary.writer.event_file_writer"} {
		if m, ok := ParseMark(s); ok {
			t.Errorf("%q parses as %v", s, m)
		}
	}
	order := []Mark{{}, {1, 1}, {1, 2}, {2, 1}, {2, 3}}
	for i := range order {
		for j := range order {
			if order[i].After(order[j]) != (i > j) {
				t.Errorf("%v after %v: %v", order[i], order[j], i <= j)
			}
		}
	}
}

func TestFrameReader(t *testing.T) {
	payloads := [][]byte{{}, []byte("one"), bytes.Repeat([]byte{7}, 100_000)}
	var whole []byte
	var ends []int
	for _, p := range payloads {
		whole = AppendFrame(whole, p)
		ends = append(ends, len(whole))
	}
	t.Run("whole", func(t *testing.T) {
		r := NewFrameReader(bytes.NewReader(whole))
		for i, want := range payloads {
			got, err := r.Next()
			if err != nil || !bytes.Equal(got, want) || r.Offset() != int64(ends[i]) {
				t.Fatalf("frame %d: %d bytes, %v, offset %d", i, len(got), err, r.Offset())
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
	t.Run("cut anywhere", func(t *testing.T) {
		for cut := range ends[1] {
			frames, err := readAll(whole[:cut])
			want := ErrTorn
			if cut == 0 || cut == ends[0] {
				want = io.EOF
			}
			if !errors.Is(err, want) {
				t.Errorf("cut at %d: %v, want %v", cut, err, want)
			}
			if complete := map[bool]int{true: 1}[cut >= ends[0]]; frames != complete {
				t.Errorf("cut at %d: %d frames, want %d", cut, frames, complete)
			}
		}
	})
	t.Run("any byte changed", func(t *testing.T) {
		for i := range ends[1] {
			damaged := bytes.Clone(whole[:ends[1]])
			damaged[i] ^= 0x40
			if _, err := readAll(damaged); !errors.Is(err, ErrChecksum) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	})
	t.Run("a length that is not there", func(t *testing.T) {
		for length, want := range map[uint64]error{MaxFrame: ErrTorn, MaxFrame + 1: nil, math.MaxUint64: nil} {
			_, err := readAll(frameHeadOf(length))
			if err == nil || errors.Is(err, io.EOF) || want != nil && !errors.Is(err, want) {
				t.Errorf("length %d: %v", length, err)
			}
		}
	})
}

// frameHeadOf is the head of a frame of that length, with a right checksum.
func frameHeadOf(length uint64) []byte {
	b := make([]byte, 0, frameHead)
	for i := range 8 {
		b = append(b, byte(length>>(8*i)))
	}
	crc := maskedCRC(b)
	return append(b, byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24))
}

func readAll(b []byte) (frames int, err error) {
	r := NewFrameReader(bytes.NewReader(b))
	for {
		if _, err := r.Next(); err != nil {
			return frames, err
		}
		frames++
	}
}

func TestRefusedValues(t *testing.T) {
	tests := map[string]func() (Value, error){
		"table without columns": func() (Value, error) { return NewTable("t", nil, nil) },
		"table with a short row": func() (Value, error) {
			return NewTable("t", []string{"a", "b"}, [][]string{{"1", "2"}, {"3"}})
		},
		"histogram with too few edges": func() (Value, error) {
			return NewHistogram("h", Histogram{Edges: []float64{0, 1}, Counts: []float64{1, 2}})
		},
		"histogram with falling edges": func() (Value, error) {
			return NewHistogram("h", Histogram{Edges: []float64{0, 2, 1}, Counts: []float64{1, 2}})
		},
		"histogram with an edge that is not a number": func() (Value, error) {
			return NewHistogram("h", Histogram{Edges: []float64{0, math.NaN()}, Counts: []float64{1}})
		},
		"histogram with a negative count": func() (Value, error) {
			return NewHistogram("h", Histogram{Edges: []float64{0, 1}, Counts: []float64{-1}})
		},
		"image that is none": func() (Value, error) { return NewImage("i", []byte("GIF89a")) },
	}
	for name, make := range tests {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewHistogram("h", Histogram{}); err != nil {
		t.Errorf("an empty histogram: %v", err)
	}
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	got := Event{Values: []Value{Text("a\xff", "b\xfe")}}.Append(nil)
	if !bytes.Contains(got, []byte("a\uFFFD")) || !bytes.Contains(got, []byte("b\uFFFD")) {
		t.Errorf("%q", got)
	}
}

func TestCreateSortsAfter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	now := time.Unix(1_700_000_000, 0)
	var last string
	for i := range 12 {
		// The clock stands still, then goes back.
		f, err := Create(dir, now.Add(-time.Duration(i/6)*time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if f.Path() <= last {
			t.Errorf("file %d: %s does not sort after %s", i, f.Path(), last)
		}
		last = f.Path()
	}
}

func TestRecover(t *testing.T) {
	record := func(attempt, seq, step int64) Event {
		return Event{Time: at(1), Step: step, Mark: Mark{attempt, seq}, Values: []Value{Scalar("x", 1)}}
	}
	now := time.Unix(1_700_000_000, 0)
	write := func(t *testing.T, dir string, events ...Event) string {
		t.Helper()
		f, err := Create(dir, now, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if err := f.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return f.Path()
	}
	check := func(t *testing.T, dir string, want Recovered) {
		t.Helper()
		got, err := Recover(dir)
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	t.Run("no folder", func(t *testing.T) {
		check(t, filepath.Join(t.TempDir(), "none"), Recovered{})
	})
	t.Run("no records", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, Event{Restart: true})
		check(t, dir, Recovered{})
	})
	t.Run("newest file has none", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, record(1, 7, 3))
		write(t, dir, record(1, 8, 4), record(1, 9, 4))
		write(t, dir)
		check(t, dir, Recovered{Mark{1, 9}, 4})
	})
	t.Run("other writers' files", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, record(2, 9, 4))
		if err := os.WriteFile(filepath.Join(dir, namePrefix+"9999999999.x.v2"), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, dir, Recovered{Mark{2, 9}, 4})
	})
	t.Run("cut anywhere", func(t *testing.T) {
		dir := t.TempDir()
		path := write(t, dir, record(1, 1, 1), record(1, 2, 2))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first := len(whole) - len(AppendFrame(nil, record(1, 2, 2).Append(nil)))
		zero := first - len(AppendFrame(nil, record(1, 1, 1).Append(nil)))
		for cut := len(whole); cut >= 0; cut-- {
			if err := os.Truncate(path, int64(cut)); err != nil {
				t.Fatal(err)
			}
			switch {
			case cut == len(whole):
				check(t, dir, Recovered{Mark{1, 2}, 2})
			case cut >= first:
				check(t, dir, Recovered{Mark{1, 1}, 1})
			case cut < zero:
				check(t, dir, Recovered{})
			}
		}
	})
}

func TestRemoveSuffixed(t *testing.T) {
	dir := t.TempDir()
	for _, suffix := range []string{"", ".end", ""} {
		f, err := Create(dir, time.Unix(1_700_000_000, 0), suffix)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := RemoveSuffixed(dir, ".end"); err != nil {
		t.Fatal(err)
	}
	names, err := fileNames(dir)
	if err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
}

// fullDisk is a file of which the second half of a write is refused.
type fullDisk struct {
	output
	full     bool
	readOnly bool
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
	record := func(seq int64) Event {
		return Event{Step: seq, Mark: Mark{1, seq}, Values: []Value{Scalar("x", 1)}}
	}
	tests := map[string]struct {
		readOnly bool
		want     Recovered
	}{
		"is undone":                  {false, Recovered{Mark{1, 3}, 3}},
		"that cannot be undone ends": {true, Recovered{Mark{1, 1}, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := Create(dir, time.Unix(1_700_000_000, 0), "")
			if err != nil {
				t.Fatal(err)
			}
			disk := &fullDisk{output: f.file, readOnly: test.readOnly}
			f.file = disk
			if err := f.Write(record(1)); err != nil {
				t.Fatal(err)
			}
			disk.full = true
			if err := f.Write(record(2)); !errors.Is(err, errFull) {
				t.Errorf("on a full disk: %v", err)
			}
			disk.full = false
			if err := f.Write(record(3)); (err != nil) != test.readOnly {
				t.Errorf("once there is room: %v", err)
			}
			f.Close()
			if got, err := Recover(dir); err != nil || got != test.want {
				t.Errorf("%+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	golden, err := os.ReadFile("testdata/golden.tfevents")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(golden[:len(golden)/2])
	f.Add(frameHeadOf(1 << 29))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewFrameReader(bytes.NewReader(b))
		var again []byte
		for {
			payload, err := r.Next()
			if err != nil {
				break
			}
			again = AppendFrame(again, payload)
			_, _ = ParseHead(payload)
		}
		if int64(len(again)) != r.Offset() || !bytes.Equal(again, b[:len(again)]) {
			t.Errorf("what was read does not write back to itself")
		}
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add(Event{Time: at(5), Step: 3, Mark: Mark{1, 2}, Values: []Value{Scalar("x", 1)}}.Append(nil))
	f.Add(Event{Step: -3, Restart: true}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, err := ParseHead(b)
		if err != nil && head != (Head{}) {
			t.Errorf("an error, and %+v", head)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	f, err := Create(b.TempDir(), time.Unix(1_700_000_000, 0), "")
	if err != nil {
		b.Fatal(err)
	}
	var values []Value
	for i := range 20 {
		values = append(values, Scalar(fmt.Sprintf("train/metric_%d", i), float64(i)))
	}
	for i := range b.N {
		if err := f.Write(Event{Time: at(5), Step: int64(i), Mark: Mark{1, int64(i)}, Values: values}); err != nil {
			b.Fatal(err)
		}
	}
}
