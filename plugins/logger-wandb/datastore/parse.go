package datastore

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Parsed is what a writer reads back of a record. What the record is not is nil
// or empty.
type Parsed struct {
	Num  int64
	Mark Mark // zero: none

	Run     *Run // its ID, Entity, Project and Start alone
	History *History
	Summary Summary
	Metric  *Metric // its Name alone
	Output  string  // the text of console output
	Exit    bool
}

// Parse reads a record's message. Unknown kinds and fields are skipped.
func Parse(b []byte) (Parsed, error) {
	var p Parsed
	whole := fields(b, func(field protowire.Number, kind protowire.Type, value []byte) {
		p.set(field, kind, value)
	})
	if !whole {
		return Parsed{}, fmt.Errorf("a record of %d bytes is no whole message", len(b))
	}
	return p, nil
}

func (p *Parsed) set(field protowire.Number, kind protowire.Type, value []byte) {
	if kind == protowire.VarintType {
		if field == recordNum {
			p.Num = whole(value)
		}
		return
	}
	if kind != protowire.BytesType {
		return
	}
	switch field {
	case recordUUID:
		p.Mark, _ = ParseMark(string(value))
	case recordRun:
		p.Run = parseRun(value)
	case recordHistory:
		p.History = parseHistory(value)
	case recordSummary:
		p.Summary = parseItems(value)
	case recordMetric:
		p.Metric = &Metric{Name: text(value, metricName)}
	case recordOutputRaw:
		p.Output = text(value, outputText)
	case recordExit:
		p.Exit = true
	}
}

func parseRun(b []byte) *Run {
	run := &Run{ID: text(b, runID), Entity: text(b, runEntity), Project: text(b, runProject)}
	var seconds, nanos int64
	fields([]byte(text(b, runStartTime)), func(field protowire.Number, kind protowire.Type, value []byte) {
		switch {
		case kind != protowire.VarintType:
		case field == 1:
			seconds = whole(value)
		case field == 2:
			nanos = whole(value)
		}
	})
	run.Start = time.Unix(seconds, nanos)
	return run
}

func parseHistory(b []byte) *History {
	h := &History{Items: parseItems(b)}
	fields([]byte(text(b, historyStep)), func(field protowire.Number, kind protowire.Type, value []byte) {
		if field == stepNum && kind == protowire.VarintType {
			h.Step = whole(value)
		}
	})
	return h
}

func parseItems(b []byte) []Item {
	var list []Item
	fields(b, func(field protowire.Number, kind protowire.Type, value []byte) {
		if field != itemList || kind != protowire.BytesType {
			return
		}
		item := Item{Value: text(value, itemValue)}
		fields(value, func(field protowire.Number, kind protowire.Type, key []byte) {
			if (field == itemKey || field == itemNestedKey) && kind == protowire.BytesType {
				item.Key = append(item.Key, string(key))
			}
		})
		list = append(list, item)
	})
	return list
}

// text is the content of a message's last length-prefixed field of that number.
func text(b []byte, want protowire.Number) string {
	var found string
	fields(b, func(field protowire.Number, kind protowire.Type, value []byte) {
		if field == want && kind == protowire.BytesType {
			found = string(value)
		}
	})
	return found
}
