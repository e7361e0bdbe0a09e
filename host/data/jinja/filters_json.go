package jinja

// tojsonFilter is transformers' tojson: json.dumps with ensure_ascii off, and
// nothing escaped for HTML.
func tojsonFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("tojson", 0, args, "ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	layout := jsonLayout{ascii: flag(bound[0]), sort: flag(bound[3]), item: ", ", key: ": "}
	switch indent := bound[1].(type) {
	case nil, None:
	case String:
		layout.indent = &indent.Text
	default:
		n, err := count("the indent of tojson", indent, 0)
		if err != nil {
			return nil, err
		}
		s, err := rt.repeatText(" ", int(min(max(n, 0), maxWidth)))
		if err != nil {
			return nil, err
		}
		layout.indent = &s
	}
	if layout.indent != nil {
		layout.item = ","
	}
	if bound[2] != nil && !isNone(bound[2]) {
		pair, err := rt.items(bound[2])
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, failf("the separators of tojson must be two strings")
		}
		item, okItem := pair[0].(String)
		key, okKey := pair[1].(String)
		if !okItem || !okKey {
			return nil, failf("the separators of tojson must be two strings")
		}
		layout.item, layout.key = item.Text, key.Text
	}
	s, err := rt.json(v, layout)
	return text(s), err
}
