package jinja

import (
	"strings"
	"testing"
)

func TestParseJSON(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"order", `{"b": 1, "a": {"z": null, "y": true}}`, `{"b": 1, "a": {"z": null, "y": true}}`},
		{"key twice", `{"a": 1, "b": 2, "a": 3}`, `{"a": 3, "b": 2}`},
		{"numbers", `[1, -1, 1.0, 1e3, 1.5e-7, 123456789012345678901234567890, -0, -0.0]`, `[1, -1, 1.0, 1000.0, 1.5e-07, 123456789012345678901234567890, 0, -0.0]`},
		{"strings", `["\u00e9\ud83d\ude00\n", "<&>"]`, `["é😀\n", "<&>"]`},
		{"many keys", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"a":11}`, `{"a": 11, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10}`},
		{"scalars", ` "a" `, `"a"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v, err := ParseJSON([]byte(test.source))
			if err != nil {
				t.Fatal(err)
			}
			got, err := FormatJSON(v)
			if err != nil || got != test.want {
				t.Errorf("%s becomes %s, %v; want %s", test.source, got, err, test.want)
			}
		})
	}
}

func TestParseJSONErrors(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"empty", ``, "unexpected EOF"},
		{"cut off", `{"a": [1`, "unexpected EOF"},
		{"more text", `{} x`, "more text after the value"},
		{"bad literal", `[nul]`, "invalid character"},
		{"deep", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested more than 200 levels deep"},
		{"long number", strings.Repeat("9", 5000), "more than 4300 digits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseJSON([]byte(test.source))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "JSON at byte ") {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestDict checks that a dict keeps the order of its keys, small or large.
func TestDict(t *testing.T) {
	for _, n := range []int{3, 8, 9, 40} {
		d := NewDict()
		for i := range n {
			d.Set(string(rune('a'+i)), Int(i))
		}
		clone := d.Clone()
		d.Delete("b")
		d.Delete("nothing")
		d.Set("b", Int(99))
		d.Set("a", Int(100))
		var keys strings.Builder
		for key := range d.All {
			keys.WriteString(key)
		}
		if got := keys.String(); !strings.HasPrefix(got, "ac") || !strings.HasSuffix(got, "b") || d.Len() != n {
			t.Errorf("with %d keys, their order is %q", n, got)
		}
		for key, want := range map[string]Int{"a": 100, "b": 99, "c": 2} {
			if got, ok := d.Get(key); !ok || got != Value(want) {
				t.Errorf("with %d keys, %s is %v, %v", n, key, got, ok)
			}
		}
		if got, _ := clone.Get("b"); got != Value(Int(1)) || clone.Len() != n {
			t.Errorf("the clone changed with its original: b is %v", got)
		}
		if _, ok := d.Get("nothing"); ok {
			t.Error("a key that was never set is there")
		}
	}
}
