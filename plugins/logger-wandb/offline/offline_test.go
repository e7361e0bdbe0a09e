package offline

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
	"github.com/honeml/hone/sdk/logger"
)

var began = time.Unix(1_700_000_000, 0)

// settings are those of an attempt; attempts start an hour apart.
func settings(t *testing.T, attempt int64) Settings {
	return Settings{
		ID: "ab12cd34", Project: "support", Name: "support", Directory: "testdata", Attempt: attempt,
		Start: began.Add(time.Duration(attempt-1) * time.Hour), Producer: "hone 0",
		Config: map[string]any{"adapter.rank": 16.0},
		Warn:   func(message string, details ...any) { t.Log(append([]any{message}, details...)...) },
	}
}

func open(t *testing.T, folder string, attempt int64) *Run {
	t.Helper()
	r, err := Open(folder, settings(t, attempt))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// record has one scalar, and comes seq seconds after its attempt's start.
func record(attempt, seq, step int64) logger.Record {
	return logger.Record{
		Attempt: attempt, Seq: seq, Step: step,
		Time:    settings(nil, attempt).Start.Add(time.Duration(seq) * time.Second),
		Scalars: map[string]float64{"train/loss": float64(100*attempt + step)},
	}
}

func log(t *testing.T, r *Run, records ...logger.Record) {
	t.Helper()
	if err := r.Log(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func finish(t *testing.T, r *Run, end End) {
	t.Helper()
	if err := r.Close(end); err != nil {
		t.Fatal(err)
	}
}

// content is a log's records by kind.
type content struct {
	runs, exits, last int // how many, and whether the last record is an exit
	metrics           []string
	rows              []map[string]string
}

func read(t *testing.T, folder string) content {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "run-ab12cd34.wandb"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log, err := datastore.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var c content
	for n := int64(1); ; n++ {
		b, err := log.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := datastore.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if p.Num != n {
			t.Errorf("record %d has the number %d", n, p.Num)
		}
		c.last = 0
		switch {
		case p.Run != nil:
			c.runs++
		case p.Exit:
			c.exits++
			c.last = 1
		case p.Metric != nil:
			c.metrics = append(c.metrics, p.Metric.Name)
		case p.History != nil:
			row := map[string]string{"mark": p.Mark.String(), "step": fmt.Sprint(p.History.Step)}
			for _, item := range p.History.Items {
				row[strings.Join(item.Key, "|")] = item.Value
			}
			c.rows = append(c.rows, row)
		}
	}
}

// steps are the rows as mark:_step@step.
func (c content) steps() string {
	var list []string
	for _, row := range c.rows {
		list = append(list, strings.TrimPrefix(row["mark"], "hone/")+":"+row["_step"]+"@"+row[StepKey])
	}
	return strings.Join(list, " ")
}

func TestLives(t *testing.T) {
	type life struct {
		records []logger.Record
		ends    bool // otherwise killed
	}
	all := func(attempt, seq int64, steps ...int64) []logger.Record {
		var records []logger.Record
		for i, step := range steps {
			records = append(records, record(attempt, seq+int64(i), step))
		}
		return records
	}
	tests := []struct {
		name  string
		lives []life
		want  string
	}{
		{"one", []life{{all(1, 1, 1, 2, 3), true}}, "1/1:1@1 1/2:2@2 1/3:3@3"},
		{"none", []life{{nil, true}}, ""},
		{"a record before the first step", []life{{all(1, 1, 0, 1), true}}, "1/1:0@0 1/2:1@1"},
		{"several records of a step", []life{{all(1, 1, 10, 10, 20, 20, 21), true}},
			"1/1:10@10 1/2:11@10 1/3:20@20 1/4:21@20 1/5:22@21"},
		{"killed, and all records come again",
			[]life{{all(1, 1, 1, 2), false}, {all(1, 1, 1, 2, 3), true}}, "1/1:1@1 1/2:2@2 1/3:3@3"},
		{"killed before the first record", []life{{}, {}, {all(1, 1, 1), false}}, "1/1:1@1"},
		{"goes on at an earlier step",
			[]life{{all(1, 1, 1, 2, 3), true}, {all(2, 4, 2, 3, 4, 9), true}},
			"1/1:1@1 1/2:2@2 1/3:3@3 2/4:4@2 2/5:5@3 2/6:6@4 2/7:9@9"},
		{"the old attempt's records late",
			[]life{{all(1, 1, 1), false}, {append(all(1, 2, 2), all(2, 3, 2)...), true}},
			"1/1:1@1 1/2:2@2 2/3:3@2"},
		{"records twice in one call",
			[]life{{append(all(1, 1, 1, 2), all(1, 1, 1, 2)...), true}}, "1/1:1@1 1/2:2@2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := Folder(t.TempDir(), "ab12cd34", began)
			var last datastore.Mark
			for i, l := range test.lives {
				r := open(t, folder, int64(i+1))
				if r.Last() != last {
					t.Errorf("life %d begins with %v, want %v", i, r.Last(), last)
				}
				log(t, r, l.records...)
				if l.ends {
					finish(t, r, End{Line: "over", Time: r.time})
				}
				if n := len(l.records); n > 0 {
					last = datastore.Mark{Attempt: l.records[n-1].Attempt, Seq: l.records[n-1].Seq}
				}
			}
			c := read(t, folder)
			if got := c.steps(); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			want := 0
			if test.lives[len(test.lives)-1].ends {
				want = 1
			}
			if c.runs != 1 || c.exits != want || c.last != want {
				t.Errorf("%d runs, %d exits; an exit last: %d", c.runs, c.exits, c.last)
			}
			for i, row := range c.rows {
				if row["step"] != row["_step"] || row["train/loss"] == "" || row[AttemptKey] != row["mark"][5:6] {
					t.Errorf("row %d: %v", i, row)
				}
			}
		})
	}
}

// TestTornAnywhere cuts the log all over, as a crash of the machine may, and goes
// on from what the logger then says that it has. (Package datastore's test cuts at
// every byte; here each cut costs a sync.)
func TestTornAnywhere(t *testing.T) {
	records := []logger.Record{record(1, 1, 1), record(1, 2, 2), record(1, 3, 3)}
	master := t.TempDir()
	log(t, open(t, master, 1), records...)
	whole, err := os.ReadFile(filepath.Join(master, "run-ab12cd34.wandb"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for cut := 0; cut < len(whole); cut += 7 {
		if err := os.WriteFile(filepath.Join(folder, "run-ab12cd34.wandb"), whole[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		r := open(t, folder, 1)
		log(t, r, records[r.Last().Seq:]...)
		finish(t, r, End{Time: began})
		c := read(t, folder)
		if c.steps() != "1/1:1@1 1/2:2@2 1/3:3@3" || c.runs != 1 || c.exits != 1 {
			t.Fatalf("cut at %d: %s, %d runs, %d exits", cut, c.steps(), c.runs, c.exits)
		}
		if want := []string{StepKey, AttemptKey, "train/loss"}; !reflect.DeepEqual(c.metrics, want) {
			t.Fatalf("cut at %d: metrics %v", cut, c.metrics)
		}
	}
}

// TestRuntime has pauses between attempts, which the runtime leaves out.
func TestRuntime(t *testing.T) {
	folder := t.TempDir()
	r := open(t, folder, 1)
	log(t, r, record(1, 5, 1)) // 5 s
	r = open(t, folder, 2)
	log(t, r, record(1, 7, 2)) // 7 s: late, of the first attempt
	log(t, r, record(2, 8, 2)) // 8 s of the second
	r = open(t, folder, 2)
	log(t, r, record(2, 9, 3))
	r = open(t, folder, 3)
	late := record(4, 0, 3)
	late.Time = r.settings.Start.Add(2 * time.Second)
	next := late
	next.Attempt, next.Seq, next.Time = 4, 11, late.Time.Add(time.Second) // the attempt began in this life
	late.Attempt, late.Seq = 3, 10
	log(t, r, late, next)
	finish(t, r, End{Time: r.settings.Start.Add(10 * time.Second)})
	var got []string
	for _, row := range read(t, folder).rows {
		got = append(got, row["_runtime"])
	}
	if want := []string{"5", "7", "15", "16", "18", "19"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := summary(t, folder); fmt.Sprint(s["_wandb"]) != "map[runtime:26]" {
		t.Errorf("the end: %v", s["_wandb"])
	}
}

func summary(t *testing.T, folder string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "files", "wandb-summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFiles(t *testing.T) {
	parent := t.TempDir()
	folder := Folder(parent, "ab12cd34", began)
	r := open(t, folder, 1)
	log(t, r, record(1, 1, 1), record(1, 2, 2))
	finish(t, r, End{Code: 1, Line: "hone: the run failed: no more", Time: began.Add(3 * time.Second)})
	r = open(t, folder, 2)
	log(t, r, record(2, 3, 2))
	finish(t, r, End{Line: "hone: the run finished", Time: r.settings.Start.Add(4 * time.Second)})

	s := summary(t, folder)
	for key, want := range map[string]any{"train/loss": 202.0, StepKey: 2.0, AttemptKey: 2.0, "_step": 3.0} {
		if s[key] != want {
			t.Errorf("the summary's %s is %v, want %v", key, s[key], want)
		}
	}
	text := func(name string) string {
		data, err := os.ReadFile(filepath.Join(folder, "files", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const console = "hone: the run starts\nhone: the run failed: no more\nhone: the run goes on, attempt 2\nhone: the run finished\n"
	if got := text("output.log"); got != console {
		t.Errorf("the console: %q", got)
	}
	if got := text("config.yaml"); got != "\"adapter\":\n  value:\n    \"rank\": 16\n" {
		t.Errorf("the settings: %q", got)
	}
	var machine map[string]any
	if err := json.Unmarshal([]byte(text("wandb-metadata.json")), &machine); err != nil || machine["program"] != "hone" {
		t.Errorf("the machine: %v, %v", machine, err)
	}
	if to, err := os.Readlink(filepath.Join(parent, "wandb", "latest-run")); err != nil || to != filepath.Base(folder) {
		t.Errorf("latest-run points at %s, %v", to, err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*", "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMedia(t *testing.T) {
	folder := t.TempDir()
	rich := record(1, 1, 7)
	rich.Texts = map[string]string{"eval/a b": "<x>\n& ü"}
	rich.Tables = map[string]logger.Table{"t": {Columns: []string{"a", "b"}, Rows: [][]string{{"1", "\"2\""}}}}
	rich.Histograms = map[string]logger.Histogram{"h": {Edges: []float64{0, 1, 2}, Counts: []float64{3, 4}}}
	rich.Images = map[string]string{"../../i": "dot.png"}
	log(t, open(t, folder, 1), rich)
	row := read(t, folder).rows[0]
	want := map[string]string{
		"h|_type": `"histogram"`, "h|bins": "[0,1,2]", "h|values": "[3,4]",
		"t|_type": `"table-file"`, "t|ncols": "2", "t|nrows": "1",
		"eval/a b|_type":  `"html-file"`,
		"../../i|_type":   `"image-file"`,
		"../../i|format":  `"png"`,
		"../../i|width":   "3",
		"../../i|height":  "2",
		"../../i|size":    "85",
		"train/loss":      "107",
		"_step":           "7",
		"train/attempt":   "1",
		"_timestamp":      "1700000001",
		"../../i|missing": "",
	}
	for key, value := range want {
		if row[key] != value {
			t.Errorf("%s is %s, want %s", key, row[key], value)
		}
	}
	contents := map[string]string{
		"eval/a b": "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<pre style=\"white-space: pre-wrap\">&lt;x&gt;\n&amp; ü</pre>\n",
		"t":        `{"columns":["a","b"],"data":[["1","\"2\""]]}`,
	}
	for name, prefix := range map[string]string{
		"eval/a b": "media/html/eval/a b_7_", "t": "media/table/t_7_", "../../i": "media/images/_/_/i_7_",
	} {
		path := strings.Trim(row[name+"|path"], `"`)
		if !strings.HasPrefix(path, prefix) {
			t.Errorf("%s lies at %s, want %s…", name, path, prefix)
		}
		data, err := os.ReadFile(filepath.Join(folder, "files", path))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(len(data)) != row[name+"|size"] {
			t.Errorf("%s has %d bytes, the history says %s", name, len(data), row[name+"|size"])
		}
		if text, ok := contents[name]; ok && string(data) != text {
			t.Errorf("%s: %q", name, data)
		}
	}
}

// TestLeftOut logs values that W&B cannot hold beside one that it can.
func TestLeftOut(t *testing.T) {
	folder := t.TempDir()
	r := record(1, 1, 1)
	r.Images = map[string]string{"gone": "gone.png", "none": "../offline_test.go"}
	r.Tables = map[string]logger.Table{"ragged": {Columns: []string{"a"}, Rows: [][]string{{"1", "2"}}}}
	r.Histograms = map[string]logger.Histogram{"short": {Edges: []float64{1}, Counts: []float64{1}}}
	log(t, open(t, folder, 1), r)
	if got := read(t, folder).rows; len(got) != 1 || got[0]["train/loss"] != "101" {
		t.Errorf("%v", got)
	}
}

// TestMediaFolderIsAFile cannot store a text, so the record must not count as
// logged.
func TestMediaFolderIsAFile(t *testing.T) {
	folder := t.TempDir()
	r := open(t, folder, 1)
	blocked := filepath.Join(folder, "files", "media")
	if err := os.WriteFile(blocked, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	rich := record(1, 1, 1)
	rich.Texts = map[string]string{"x": "y"}
	if err := r.Log(t.Context(), []logger.Record{rich}); err == nil || r.Last() != (datastore.Mark{}) {
		t.Errorf("%v, %v", err, r.Last())
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	log(t, r, rich)
	if got := read(t, folder).steps(); got != "1/1:1@1" {
		t.Error(got)
	}
}

func TestUploadedRunThatGoesOn(t *testing.T) {
	folder := t.TempDir()
	finish(t, open(t, folder, 1), End{Time: began})
	synced := filepath.Join(folder, "run-ab12cd34.wandb.synced")
	if err := os.WriteFile(synced, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	open(t, folder, 2)
	if _, err := os.Stat(synced); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("wandb sync would leave the run out: %v", err)
	}
}

func TestLogOfAnotherRun(t *testing.T) {
	folder := t.TempDir()
	finish(t, open(t, folder, 1), End{Time: began})
	other := settings(t, 1)
	other.ID = "zzzzzzzz"
	if err := os.Rename(filepath.Join(folder, "run-ab12cd34.wandb"), filepath.Join(folder, "run-zzzzzzzz.wandb")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder, other); err == nil || !strings.Contains(err.Error(), "ab12cd34") {
		t.Errorf("%v", err)
	}
}

func TestFolder(t *testing.T) {
	parent := t.TempDir()
	stamp := began.Format("20060102_150405")
	if got, want := Folder(parent, "x", began), filepath.Join(parent, "wandb", "offline-run-"+stamp+"-x"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := os.Mkdir(filepath.Join(parent, ".wandb"), 0o777); err != nil {
		t.Fatal(err)
	}
	if got, want := Folder(parent, "x", began), filepath.Join(parent, ".wandb", "offline-run-"+stamp+"-x"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNewID(t *testing.T) {
	seen, letters := map[string]bool{}, map[rune]bool{}
	for range 1000 {
		id := NewID()
		if len(id) != 8 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || seen[id] {
			t.Fatalf("%q", id)
		}
		seen[id] = true
		for _, r := range id {
			letters[r] = true
		}
	}
	if len(letters) != 36 {
		t.Errorf("%d letters", len(letters))
	}
}

func TestSafePath(t *testing.T) {
	for name, want := range map[string]string{
		"eval/loss":              "eval/loss",
		"/etc/passwd":            "_/etc/passwd",
		"../..":                  "_/_",
		"a\\b:c*\x00":            "a_b_c__",
		"":                       "_",
		"日本 x":                   "日本 x",
		strings.Repeat("ü", 500): strings.Repeat("ü", 50),
	} {
		if got := safePath(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestNested(t *testing.T) {
	got := nested(map[string]any{"a.b": 1.0, "a.c.d": "x", "e": true, "f": 1.0, "f.g": 2.0})
	want := tree{"a": tree{"b": 1.0, "c": tree{"d": "x"}}, "e": true, "f": 1.0, "f.g": 2.0}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestYAML(t *testing.T) {
	got := string(configYAML(tree{
		"a b": "x: \"y\"\\\n\t\x7f\u2028é😀", "n": nil, "e": tree{},
		"num": tree{"big": 1e300, "int": 12.0, "small": 1e-7, "x": 2.5e-10, "frac": 0.1, "large": 123456789.0},
	}))
	const want = "\"a b\":\n  value: \"x: \\\"y\\\"\\\\\\n\\x09\\x7f\\u2028é😀\"\n" +
		"\"e\":\n  value: {}\n\"n\":\n  value: null\n" +
		"\"num\":\n  value:\n    \"big\": 1.0e+300\n    \"frac\": 0.1\n    \"int\": 12\n    \"large\": 123456789\n" +
		"    \"small\": 1.0e-07\n    \"x\": 2.5e-10\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func BenchmarkLog(b *testing.B) {
	r, err := Open(b.TempDir(), settings(nil, 1))
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		one := record(1, int64(i+1), int64(i+1))
		for n := range 20 {
			one.Scalars[fmt.Sprintf("train/metric_%d", n)] = float64(i) / 3
		}
		if err := r.Log(b.Context(), []logger.Record{one}); err != nil {
			b.Fatal(err)
		}
	}
}
