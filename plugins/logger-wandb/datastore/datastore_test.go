package datastore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"testing"
	"time"
)

// goldenRecords are those of testdata/gen_datastore.py.
func goldenRecords() []Record {
	one := func(value string, key ...string) Item { return Item{Key: key, Value: value} }
	return []Record{
		Header{Producer: "hone 1.2.3", MinConsumer: "0.40.0"},
		Run{
			ID: "ab12cd34", Entity: "team", Project: "support",
			Config: []Item{one(`{"rank":16}`, "adapter"), one(`"x"`, "model", "source")},
			Group:  "g", JobType: "train", Name: "náme", Notes: "n", Tags: []string{"a", "b"},
			Host: "box", Start: time.Unix(1700000000, 250000000),
		},
		Environment{
			OS: "linux", Started: time.Unix(1700000000, 0), Args: []string{"run", "x.hcl"},
			Program: "hone", Root: "/r", Host: "box", CPUs: 2, WriterID: "w",
		},
		Metric{Name: "step", Hidden: true},
		Metric{Name: "train/loss", StepMetric: "step"},
		Summary{one("2.5", "train/loss"), one("3", "_wandb", "runtime")},
		History{Step: 12, Items: []Item{one("NaN", "train/loss"), one("12", "_step")}},
		Files{"media/images/a.png"},
		Output{Text: "hello\n", Time: time.Unix(1700000001, 0)},
		Output{Text: "oh", Stderr: true, Time: time.Unix(0, 5)},
		Config{one("1e-05", "learning_rate")},
		Exit{Code: 1, Runtime: 77},
	}
}

// goldenLog is the golden log as this package writes it.
func goldenLog() []byte {
	log := NewAppender(0)
	for i, r := range goldenRecords() {
		var mark Mark
		if _, ok := r.(History); ok {
			mark = Mark{1, 41}
		}
		log.Add(Encode(int64(i+1), r, mark))
	}
	return log.Take()
}

func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/golden.wandb")
	if err != nil {
		t.Fatal(err)
	}
	got := goldenLog()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("from byte %d on:\n got %q\nwant %q", i, got[i:min(i+80, len(got))], want[i:min(i+80, len(want))])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestFraming(t *testing.T) {
	data, err := os.ReadFile("testdata/framing.json")
	if err != nil {
		t.Fatal(err)
	}
	var framings map[string]struct {
		Lengths []int
		Size    int
		SHA256  string
	}
	if err := json.Unmarshal(data, &framings); err != nil || len(framings) == 0 {
		t.Fatal(len(framings), err)
	}
	for name, f := range framings {
		t.Run(name, func(t *testing.T) {
			var whole []byte
			var payloads [][]byte
			for _, n := range f.Lengths {
				payload := make([]byte, n)
				for i := range payload {
					payload[i] = byte(i % 251)
				}
				payloads = append(payloads, payload)
				// A new appender each time: a log that is gone on with is no different.
				log := NewAppender(int64(len(whole)))
				log.Add(payload)
				whole = append(whole, log.Take()...)
			}
			sum := sha256.Sum256(whole)
			if len(whole) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
				t.Errorf("%d bytes, want %d; or their hash differs", len(whole), f.Size)
			}
			r, err := NewReader(bytes.NewReader(whole))
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range payloads {
				got, err := r.Next()
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("record %d: %d bytes, %v; want %d", i, len(got), err, len(want))
				}
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) || r.End() != int64(len(whole)) {
				t.Errorf("at the end: %v, byte %d of %d", err, r.End(), len(whole))
			}
		})
	}
}

// ends are the offsets at which the records of a log end, its head first.
func ends(t *testing.T, log []byte) []int64 {
	t.Helper()
	r, err := NewReader(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	at := []int64{r.End()}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return at
		} else if err != nil {
			t.Fatal(err)
		}
		at = append(at, r.End())
	}
}

func TestTornAnywhere(t *testing.T) {
	whole := goldenLog()
	at := ends(t, whole)
	for cut := range whole {
		r, err := NewReader(bytes.NewReader(whole[:cut]))
		if cut < len(fileHead) {
			if !errors.Is(err, ErrTorn) {
				t.Errorf("cut at %d: %v", cut, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		last, want := at[0], ErrTorn
		for _, end := range at {
			if end <= int64(cut) {
				last = end
			}
		}
		if last == int64(cut) {
			want = io.EOF
		}
		if r.End() != last || !errors.Is(err, want) {
			t.Errorf("cut at %d: the last record ends at %d, want %d; %v", cut, r.End(), last, err)
		}
	}
}

func TestAnyByteChanged(t *testing.T) {
	whole := goldenLog()
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		r, err := NewReader(bytes.NewReader(damaged))
		for err == nil {
			_, err = r.Next()
		}
		want := ErrTorn
		if i < len(fileHead) {
			want = ErrForeign
		}
		if !errors.Is(err, want) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

func TestZeroTailIsTorn(t *testing.T) {
	r, err := NewReader(bytes.NewReader(append(goldenLog(), make([]byte, 5000)...)))
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, ErrTorn) || r.End() != int64(len(goldenLog())) {
		t.Errorf("%v, the last record ends at %d", err, r.End())
	}
}

func TestParse(t *testing.T) {
	r, err := NewReader(bytes.NewReader(goldenLog()))
	if err != nil {
		t.Fatal(err)
	}
	for i, record := range goldenRecords() {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		want := Parsed{Num: int64(i + 1)}
		switch record := record.(type) {
		case Run:
			want.Run = &Run{ID: record.ID, Entity: record.Entity, Project: record.Project, Start: record.Start}
		case History:
			want.History, want.Mark = &record, Mark{1, 41}
		case Summary:
			want.Summary = record
		case Metric:
			want.Metric = &Metric{Name: record.Name}
		case Output:
			want.Output = record.Text
		case Exit:
			want.Exit = true
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("record %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestMark(t *testing.T) {
	if m, ok := ParseMark("hone/3/41"); !ok || m != (Mark{3, 41}) {
		t.Errorf("hone/3/41 parses as %v, %v", m, ok)
	}
	for _, s := range []string{"", "hone", "hone/1", "hone/1/", "hone//1", "hone/1/2/3", "hone/+1/2", "hone/01/2", "a81bc81b-dead-4e5d-abff-90865d1e13b1"} {
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

func TestJSON(t *testing.T) {
	tests := []struct {
		v    any
		want string
	}{
		{nil, "null"},
		{true, "true"},
		{12.0, "12"},
		{-0.1, "-0.1"},
		{1e-7, "1e-7"},
		{1e300, "1e+300"},
		{math.NaN(), "NaN"},
		{math.Inf(1), "Infinity"},
		{math.Inf(-1), "-Infinity"},
		{int64(math.MaxInt64), "9223372036854775807"},
		{`a"<é>` + "\n\xff", `"a\"<é>\n\ufffd"`},
		{[]any{1.0, "x", nil}, `[1,"x",null]`},
		{[]string{}, "[]"},
		{[][]string{{"a"}, {}}, `[["a"],[]]`},
		{map[string]any{"b": []float64{1, math.NaN()}, "a": map[string]any{}}, `{"a":{},"b":[1,NaN]}`},
	}
	for _, test := range tests {
		if got, err := JSON(test.v); err != nil || got != test.want {
			t.Errorf("%v: %s, %v; want %s", test.v, got, err, test.want)
		}
	}
	if _, err := JSON(map[string]any{"x": struct{}{}}); err == nil {
		t.Error("a struct: no error")
	}
}

func FuzzReader(f *testing.F) {
	golden := goldenLog()
	f.Add(golden)
	f.Add(golden[:len(golden)/2])
	long := NewAppender(0)
	long.Add(make([]byte, blockSize))
	f.Add(long.Take())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		again := NewAppender(0)
		for {
			record, err := r.Next()
			if err != nil {
				break
			}
			_, _ = Parse(record)
			again.Add(record)
		}
		if r.End() > int64(len(b)) {
			t.Errorf("the last record ends at %d of %d bytes", r.End(), len(b))
		}
		second, err := NewReader(bytes.NewReader(again.Take()))
		for err == nil {
			_, err = second.Next()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("what was read and written again: %v", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for i, r := range goldenRecords() {
		f.Add(Encode(int64(i), r, Mark{1, 2}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil && !reflect.DeepEqual(p, Parsed{}) {
			t.Errorf("an error, and %+v", p)
		}
	})
}
