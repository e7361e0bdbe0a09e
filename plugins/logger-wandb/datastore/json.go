package datastore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// JSON is a value as the log's texts hold it: JSON, in which NaN, Infinity and
// -Infinity stand for the numbers that JSON lacks. It takes nil, booleans,
// strings, int, int64 and float64 numbers, and lists and string-keyed maps of
// these; keys are sorted. Any other type is an error.
func JSON(v any) (string, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}

func writeJSON(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(Number(v))
	case string:
		return writeText(b, v)
	case []any:
		return writeList(b, v)
	case []string:
		return writeList(b, v)
	case []float64:
		return writeList(b, v)
	case [][]string:
		return writeList(b, v)
	case map[string]any:
		return writeObject(b, v)
	default:
		return fmt.Errorf("a %T cannot be written as JSON", v)
	}
	return nil
}

// Number is a number in JSON, or NaN, Infinity or -Infinity.
func Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	text, _ := json.Marshal(v) // never fails for finite numbers
	return string(text)
}

// writeText writes a string; invalid UTF-8 is replaced.
func writeText(b *bytes.Buffer, s string) error {
	text := json.NewEncoder(b)
	text.SetEscapeHTML(false)
	if err := text.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the newline that Encode adds
	return nil
}

func writeList[T any](b *bytes.Buffer, list []T) error {
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeJSON(b, v); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func writeObject(b *bytes.Buffer, object map[string]any) error {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeText(b, key); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := writeJSON(b, object[key]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}
