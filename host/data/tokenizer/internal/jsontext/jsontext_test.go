package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStringsAsEncodingJSONReadsThem(t *testing.T) {
	for _, text := range []string{
		`""`, `"plain"`, `"é Ġ 😀"`, `"\"\\\/\b\f\n\r\t"`, `"\u0120the"`, `"\ud83d\ude00"`, `  "after space"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got, err := NewReader([]byte(text), 0).AppendString([]byte("x"))
		if err != nil || string(got) != "x"+want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	str := func(r *Reader) error { _, err := r.AppendString(nil); return err }
	number := func(r *Reader) error { _, err := r.Int32(); return err }
	value := func(r *Reader) error { _, _, err := r.Value(); return err }
	array := func(r *Reader) error { return r.Array(func() error { _, err := r.Int32(); return err }) }
	object := func(r *Reader) error { return r.Object(func([]byte) error { _, err := r.Int32(); return err }) }
	tests := []struct {
		name, text string
		read       func(*Reader) error
		want       string
	}{
		{"no string", `12`, str, "byte 100: a string is expected"},
		{"open string", `"abc`, str, "byte 104: a string without"},
		{"ends in an escape", `"abc\`, str, "without its closing quote"},
		{"control character", "\"a\nb\"", str, "control character"},
		{"unknown escape", `"\x"`, str, `unknown escape \x`},
		{"short escape", `"\u12`, str, "without its closing quote"},
		{"bad digits", `"\u12g4"`, str, "hexadecimal"},
		{"high surrogate alone", `"\ud83d"`, str, "surrogate"},
		{"low surrogate alone", `"\ude00x"`, str, "surrogate"},
		{"two high surrogates", `"\ud83d\ud83d"`, str, "surrogate"},
		{"negative", `-1`, number, "whole number"},
		{"fraction", `1.5`, number, "whole number"},
		{"exponent", `1e3`, number, "whole number"},
		{"leading zero", `01`, number, "whole number"},
		{"large", `2147483648`, number, "beyond"},
		{"word", `true`, number, "whole number"},
		{"empty", ``, value, "ends within a value"},
		{"open array", `[1, 2`, value, "ends within a value"},
		{"wrong bracket", `[1}`, value, "opening bracket"},
		{"deep", strings.Repeat("[", 5000), value, "nested"},
		{"not a value", `@`, value, "'@'"},
		{"array without comma", `[1 2]`, array, "',' is expected"},
		{"array with a trailing comma", `[1,]`, array, "whole number"},
		{"object without colon", `{"a" 1}`, object, "':' is expected"},
		{"object without key", `{1:2}`, object, "a string is expected"},
		{"object that ends", `{"a":1`, object, "ends where"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.read(NewReader([]byte(test.text), 100))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that holds %q", err, test.want)
			}
		})
	}
}

func TestWalk(t *testing.T) {
	r := NewReader([]byte(` { "a" : [ 1 , 22 ] , "b": {"c": [true, "x]", null]}, "d": 2147483647 } `), 10)
	var got []string
	err := r.Object(func(key []byte) error {
		if string(key) == "a" {
			return r.Array(func() error {
				n, err := r.Int32()
				if n == 22 {
					got = append(got, "22")
				}
				return err
			})
		}
		text, offset, err := r.Value()
		if offset < 10 {
			t.Errorf("offset %d of %s", offset, text)
		}
		got = append(got, string(key)+"="+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
	if want := `22 b={"c": [true, "x]", null]} d=2147483647`; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := NewReader([]byte(" x"), 0).End(); err == nil {
		t.Error("End finds nothing left of x")
	}
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\u00e9",null]}`, `[[[`, `"\\"`, "1e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		r := NewReader([]byte(text), 0)
		got, _, err := r.Value()
		if json.Valid([]byte(text)) && len(text) < maxDepth {
			if err != nil || string(got) != strings.Trim(text, " \t\r\n") || r.End() != nil {
				t.Errorf("%q: got %q, %v", text, got, err)
			}
		}
		s, err := NewReader([]byte(text), 0).AppendString(nil)
		if err == nil && !utf8.Valid(s) {
			t.Errorf("%q reads as %q", text, s)
		}
	})
}
