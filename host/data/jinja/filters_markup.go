package jinja

import (
	"net/url"
	"strings"
)

func urlencodeFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("urlencode", 0, args); err != nil {
		return nil, err
	}
	var pairs []Value
	var err error
	switch v := v.(type) {
	case String:
		return text(quoteURL(v.Text, true)), rt.grow(3 * len(v.Text))
	case *Dict:
		pairs, err = rt.items(&viewValue{v, viewItems})
	case None, Bool, Int, bigInt, Float, *namespaceValue, *functionValue, *macroValue:
		s, err := rt.str(v)
		return text(quoteURL(s.Text, true)), err
	default:
		pairs, err = rt.items(v)
	}
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for i, pair := range pairs {
		both, err := rt.items(pair)
		if err != nil {
			return nil, err
		}
		if len(both) != 2 {
			return nil, failf("urlencode needs pairs of a key and a value")
		}
		key, err := rt.str(both[0])
		if err != nil {
			return nil, err
		}
		value, err := rt.str(both[1])
		if err != nil {
			return nil, err
		}
		if err := rt.grow(3 * (len(key.Text) + len(value.Text))); err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(quoteURL(key.Text, false) + "=" + quoteURL(value.Text, false))
	}
	return text(out.String()), nil
}

// quoteURL is s for a URL: for a path "/" stays, in a query a space is "+".
func quoteURL(s string, path bool) string {
	quoted := url.QueryEscape(s)
	if !path {
		return quoted
	}
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(quoted)
}

// badAttributeKey matches what cannot stand in the name of an XML attribute.
func badAttributeKey(key string) bool { return strings.ContainsAny(key, " \t\n\r\f\v/>=") }

func xmlattrFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("xmlattr", 0, args, "autospace")
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, failf("xmlattr needs a dict, not a %s", v.typeName())
	}
	var parts []string
	for _, e := range d.entries {
		if isNone(e.value) || isUndefined(e.value) {
			continue
		}
		key, ok := e.key.(String)
		if !ok || badAttributeKey(key.Text) {
			return nil, failf("a key of the dict for xmlattr cannot be the name of an attribute")
		}
		value, err := rt.softText(e.value)
		if err != nil {
			return nil, err
		}
		part := escaped(key).Text + `="` + escaped(value).Text + `"`
		if err := rt.grow(len(part)); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	out := strings.Join(parts, " ")
	if out != "" && (bound[0] == nil || truth(bound[0])) {
		out = " " + out
	}
	return text(out), nil
}
