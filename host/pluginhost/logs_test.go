package pluginhost

import (
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// TestLogLines has a plugin write lines of all sorts, and compares what the host logs.
func TestLogLines(t *testing.T) {
	var log logBuffer
	proc := mustStart(t, bad(t, "logger-good"), Options{Logger: log.logger()})
	if _, err := open(testContext(t), proc, "logs", ""); err != nil {
		t.Fatal(err)
	}
	if err := proc.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`[INFO]  hone.logger-good: an ordinary line: name="a b" step=12`,
		`[WARN]  hone.logger-good: a warning`,
		`[DEBUG] hone.logger-good: {"@message": 1}`,
		`[DEBUG] hone.logger-good: {"@level": "info", "@message": {"a": 1}}`,
		`[DEBUG] hone.logger-good: {"@level": 3, "@message": "three"}`,
		`[INFO]  hone.logger-good: nested: list="[1,2]" nothing=null`,
		`[DEBUG] hone.logger-good: {"@level": "info"`,
		`[DEBUG] hone.logger-good: null`,
		`[DEBUG] hone.logger-good: {}`,
		`[DEBUG] hone.logger-good: a line of text`,
		`[DEBUG] hone.logger-good: [31mred[0m`,
		`[DEBUG] hone.logger-good: �`,
		`[DEBUG] hone.logger-good: [INFO] in brackets`,
		``, // see below
		`[INFO]  hone.logger-good: the last line`,
	}
	got := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%.3000s", len(got), len(want), log.String())
	}
	for i, line := range want {
		if line != "" && got[i] != line {
			t.Errorf("line %d:\ngot  %.200s\nwant %s", i, got[i], line)
		}
	}
	if long := got[len(got)-2]; len(long) > logWidth+100 || !strings.HasSuffix(long, "…") {
		t.Errorf("the long line has %d bytes and ends %q", len(long), long[len(long)-20:])
	}
}

func TestLogLevel(t *testing.T) {
	for level, want := range map[hclog.Level]string{hclog.NoLevel: "ordinary", hclog.Warn: "a warning", hclog.Debug: "too quiet"} {
		var log logBuffer
		proc := mustStart(t, bad(t, "logger-good"), Options{Logger: log.logger(), LogLevel: level})
		if _, err := open(testContext(t), proc, "logs", ""); err != nil {
			t.Fatal(err)
		}
		if err := proc.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
		got := log.String()
		if !strings.Contains(got, want) || level == hclog.Warn && strings.Contains(got, "ordinary") {
			t.Errorf("at %v: %.500s", level, got)
		}
	}
}

func TestLineWriter(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"whole lines", []string{"a\nb\n"}, []string{"a", "b"}},
		{"pieces", []string{"a", "", "b\nc", "d\n"}, []string{"ab", "cd"}},
		{"no newline at the end", []string{"a\nb"}, []string{"a", "b"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"carriage returns", []string{"a\r\n"}, []string{"a"}},
		{"too long", []string{strings.Repeat("x", lineLimit), "yz\nb\n"}, []string{strings.Repeat("x", lineLimit) + "… (2 more bytes)", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			w := &lineWriter{emit: func(line string) { got = append(got, line) }}
			for _, data := range tt.writes {
				if n, err := w.Write([]byte(data)); n != len(data) || err != nil {
					t.Fatal(n, err)
				}
			}
			_ = w.Close()
			if strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %.100q, want %.100q", got, tt.want)
			}
		})
	}
}

func TestHandshakeLine(t *testing.T) {
	const line = "1|1|unix|/tmp/hone-1/plugin2|grpc|MIIB"
	tests := []struct {
		name    string
		writes  []string
		want    string // what go-plugin reads
		version string
		log     string
	}{
		{"alone", []string{line + "\n"}, line + "\n", "1", ""},
		{"in pieces", []string{line[:9], line[9:], "\n"}, line + "\n", "1", ""},
		{"of four parts", []string{"1|0|unix|/x\n"}, "1|0|unix|/x\n", "0", ""},
		{"over TCP", []string{"1|12|tcp|127.0.0.1:1234|grpc|\r\n"}, "1|12|tcp|127.0.0.1:1234|grpc|\r\n", "12", ""},
		{"after a banner", []string{"hello\n", line + "\n", "more\n"}, line + "\n", "1", "hello/more/"},
		{"after noise without an end", []string{strings.Repeat("x", 3*handshakeWindow), line + "\n"}, line + "\n", "1", "x/"},
		{"never", []string{"a|b|c|d\n", "e"}, "", "", "a|b|c|d/e/"},
		{"nothing", nil, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			h := newHandshake(&lineWriter{emit: func(line string) {
				log.WriteString(strings.TrimLeft(line, "x"))
				if strings.HasPrefix(line, "x") {
					log.WriteString("x")
				}
				log.WriteString("/")
			}})
			for _, data := range tt.writes {
				if n, err := h.Write([]byte(data)); n != len(data) || err != nil {
					t.Fatal(n, err)
				}
			}
			_ = h.Close()
			got, err := io.ReadAll(h.reader)
			if err != nil || string(got) != tt.want || h.spoken() != tt.version {
				t.Errorf("got %q, version %q, %v", got, h.spoken(), err)
			}
			if got := log.String(); got != tt.log && !strings.HasPrefix(got, "… (") {
				t.Errorf("the log is %q, want %q", got, tt.log)
			}
		})
	}
}

func TestTail(t *testing.T) {
	var tl tail
	if tl.cause() != "" || len(tl.all()) != 0 {
		t.Error("a new tail has something to say")
	}
	for range 100 {
		tl.add("a line", false)
	}
	tl.add("it failed", true)
	tl.add("a later line", false)
	if tl.cause() != "it failed" || len(tl.all()) != tailLines {
		t.Errorf("cause %q, %d lines", tl.cause(), len(tl.all()))
	}
	tl.add("panic: oh", false)
	for range 1000 {
		tl.add("\tmain.go:12", false)
	}
	all := tl.all()
	if tl.cause() != "panic: oh" || all[0] != "panic: oh" || len(all) != 2*tailLines || all[1] != "main.go:12" {
		t.Errorf("cause %q, %d lines, %q", tl.cause(), len(all), all[:2])
	}
	tl.add(strings.Repeat("é", 3000), false)
	if all := tl.all(); len(all[len(all)-1]) > tailWidth+len("…") {
		t.Errorf("a line of %d bytes", len(all[len(all)-1]))
	}
}

func FuzzLogSink(f *testing.F) {
	for _, line := range []string{
		`{"@level":"info","@message":"m","@timestamp":"t","a":1}`, `{"@message": 1}`, `{"@level":"info","@message":"m","a":{"b":[1e400]}}`,
		`{`, ``, "\x00", `{"@level":"info","@message":"m"} trailing`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var log logBuffer
		s := &logSink{logger: log.logger()}
		s.emit(line)
		got := log.String()
		if strings.ContainsAny(got, "\x00\x1b\x07\r") || strings.Count(got, "\n") > 1 {
			t.Errorf("%q is logged as %q", line, got)
		}
	})
}
