package pluginhost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"
)

// logWidth bounds what of a plugin's message or value is logged, in bytes.
const logWidth = 8 << 10

// A logSink makes a plugin's lines the host's log lines, and keeps the last ones.
type logSink struct {
	logger hclog.Logger
	tail   tail
}

// emit takes one line: an entry of hclog in JSON, or anything else, which is logged
// at the level debug as it is.
func (s *logSink) emit(line string) {
	entry, ok := parseEntry(line)
	if !ok {
		s.tail.add(line, false)
		if line := printable(line, logWidth); line != "" {
			s.logger.Debug(line)
		}
		return
	}
	s.tail.add(entry.text(), entry.level >= hclog.Error)
	s.logger.Log(entry.level, printable(entry.message, logWidth), entry.pairs...)
}

// A logEntry is a line that hclog wrote.
type logEntry struct {
	level   hclog.Level
	message string
	pairs   []any // keys and values
}

func (e logEntry) text() string {
	text := e.message
	for i := 0; i+1 < len(e.pairs); i += 2 {
		text += fmt.Sprintf(" %v=%v", e.pairs[i], e.pairs[i+1])
	}
	return text
}

// parseEntry reads a line as hclog writes it. Nothing about the types of its
// fields is taken for granted: what does not fit is an ordinary line.
func parseEntry(line string) (logEntry, bool) {
	var e logEntry
	if len(line) == 0 || line[0] != '{' {
		return e, false
	}
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader([]byte(line)))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return e, false
	}
	if _, err := decoder.Token(); err != io.EOF {
		return e, false
	}
	level, levelOK := fields["@level"].(string)
	message, messageOK := fields["@message"].(string)
	if !levelOK || !messageOK {
		return e, false
	}
	e.level, e.message = hclog.LevelFromString(level), message
	if e.level == hclog.NoLevel {
		e.level = hclog.Info
	}
	if module, ok := fields["@module"].(string); ok {
		e.pairs = append(e.pairs, "module", printable(module, logWidth))
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key != "" && key[0] != '@' {
			e.pairs = append(e.pairs, printable(key, logWidth), plainValue(fields[key]))
		}
	}
	return e, true
}

// plainValue is a field's value as text, number or boolean.
func plainValue(v any) any {
	switch x := v.(type) {
	case string:
		return printable(x, logWidth)
	case json.Number:
		return x.String()
	case bool:
		return x
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return printable(string(text), logWidth)
}
