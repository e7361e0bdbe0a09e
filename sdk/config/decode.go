package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/mitchellh/mapstructure"
)

// Decode reads a block's values into target, a pointer to a struct whose fields
// carry `config:"name"` tags. Fields without a value keep what they held, so that
// defaults can be set before; lists and maps are replaced, never merged. Keys that
// the struct lacks are refused, and so are numbers that a field cannot hold
// exactly: 8.5 or 300 for an int8 is an error, never another number. Strings,
// numbers and booleans are not converted into each other. The error is
// [Diagnostics] with the paths of the attributes; it repeats no string that a user
// wrote, which may be a secret.
func Decode(values map[string]any, target any) error {
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:           target,
		TagName:          "config",
		ErrorUnused:      true,
		ZeroFields:       true,
		WeaklyTypedInput: false,
		MatchName:        func(key, field string) bool { return key == field },
		DecodeHook:       exactNumbers,
	})
	if err != nil {
		return fmt.Errorf("cannot decode into %T: %w", target, err)
	}
	if err := decoder.Decode(values); err != nil {
		return asDiagnostics(err)
	}
	return nil
}

// exactNumbers is the decode hook that refuses what mapstructure would round or
// wrap without a word.
func exactNumbers(from, to reflect.Value) (any, error) {
	if from.Kind() == reflect.Interface {
		from = from.Elem()
	}
	if !from.IsValid() {
		return nil, nil
	}
	value := from.Interface()
	f, ok := number(value)
	if !ok {
		return value, nil
	}
	for to.Kind() == reflect.Pointer {
		to = reflect.New(to.Type().Elem()).Elem()
	}
	switch {
	case to.CanInt():
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 || to.OverflowInt(int64(f)) {
			return nil, fmt.Errorf("%v is no whole number that fits %s", f, to.Type())
		}
		return int64(f), nil
	case to.CanUint():
		if f != math.Trunc(f) || f < 0 || f > 1<<53 || to.OverflowUint(uint64(f)) {
			return nil, fmt.Errorf("%v is no whole number that fits %s", f, to.Type())
		}
		return uint64(f), nil
	case to.CanFloat():
		if to.OverflowFloat(f) {
			return nil, fmt.Errorf("%v does not fit %s", f, to.Type())
		}
	}
	return value, nil
}

// asDiagnostics turns mapstructure's list of errors into one diagnostic each. No
// diagnostic repeats a value: it may be a secret.
func asDiagnostics(err error) Diagnostics {
	lines := []string{err.Error()}
	var list *mapstructure.Error
	if errors.As(err, &list) {
		lines = list.Errors
	}
	var diags Diagnostics
	for _, line := range lines {
		line = strings.TrimPrefix(line, "error decoding ")
		if parent, keys, ok := unknownKeys(line); ok {
			for _, key := range keys {
				diags = append(diags, Diagnostic{Path: append(splitPath(parent), key), Summary: "unknown attribute"})
			}
			continue
		}
		d := Diagnostic{Summary: line}
		if name, rest, ok := quotedPrefix(line); ok {
			d.Path = splitPath(name)
			d.Summary = rest
		}
		d.Summary, _, _ = strings.Cut(d.Summary, ", value: ")
		diags = append(diags, d)
	}
	return diags
}

// unknownKeys reads "'parent' has invalid keys: a, b".
func unknownKeys(line string) (parent string, keys []string, ok bool) {
	before, after, ok := strings.Cut(line, "' has invalid keys: ")
	if !ok || !strings.HasPrefix(before, "'") {
		return "", nil, false
	}
	return before[1:], strings.Split(after, ", "), true
}

// quotedPrefix splits "'rank' expected type …" into rank and the rest.
func quotedPrefix(line string) (name, rest string, ok bool) {
	if !strings.HasPrefix(line, "'") {
		return "", "", false
	}
	name, rest, ok = strings.Cut(line[1:], "'")
	return name, strings.TrimLeft(rest, ": "), ok && name != ""
}

// splitPath reads a name as mapstructure writes it, such as sinks[2].tags[key].
func splitPath(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
