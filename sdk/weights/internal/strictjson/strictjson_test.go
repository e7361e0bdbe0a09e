package strictjson

import (
	"fmt"
	"strings"
	"testing"
)

// walk reads {"s": string, "n": [integers], …anything else skipped}.
func walk(text string) (string, error) {
	r, err := NewReader([]byte(text))
	if err != nil {
		return "", err
	}
	var found []string
	err = r.Object(func(key string) error {
		switch key {
		case "s":
			s, err := r.String()
			found = append(found, s)
			return err
		case "n":
			n, err := r.Uints()
			found = append(found, fmt.Sprint(n))
			return err
		default:
			return r.Skip()
		}
	})
	if err != nil {
		return "", err
	}
	return strings.Join(found, " "), r.End()
}

func TestReader(t *testing.T) {
	for _, tt := range []struct{ name, text, want, err string }{
		{"all kinds", ` {"a":{"b":[1,{}]},"s":"x\u0041","n":[0, 12]} `, "xA [0 12]", ""},
		{"empty", `{"n":[]}`, "[]", ""},
		{"duplicate key", `{"s":"a","s":"b"}`, "", `key "s" stands twice`},
		{"duplicate key in another spelling", `{"s":"a","\u0073":"b"}`, "", `key "s" stands twice`},
		{"more after the end", `{} {}`, "", "nothing more"},
		{"no object", `[]`, "", "an object"},
		{"no string", `{"s":1}`, "", "a string"},
		{"null", `{"s":null}`, "", "null where a string"},
		{"no array", `{"n":"abc"}`, "", `the string "abc" where an array`},
		{"fraction", `{"n":[1.0]}`, "", "1.0 is no integer"},
		{"exponent", `{"n":[1e3]}`, "", "1e3 is no integer"},
		{"negative", `{"n":[-1]}`, "", "-1 is no integer"},
		{"too large", `{"n":[9223372036854775808]}`, "", "no integer"},
		{"no number", `{"n":[[]]}`, "", "a number"},
		{"missing comma", `{"n":[1 2]}`, "", "invalid character"},
		{"cut short", `{"n":[1`, "", "unexpected EOF"},
		{"cut short in a skipped value", `{"a":`, "", "unexpected EOF"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "", "UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := walk(tt.text)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if got != tt.want && tt.err == "" {
				t.Errorf("read %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDepth(t *testing.T) {
	if _, err := walk(`{"a":` + strings.Repeat("[", 1<<20)); err == nil {
		t.Error("a million open brackets were read")
	}
}
