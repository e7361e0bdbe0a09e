package jinja

import "strings"

func indentFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("indent", 0, args, "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.fail()
	}
	s, ok := v.(String)
	if !ok {
		return nil, failf("indent needs a string, not a %s", v.typeName())
	}
	indentation, ok := bound[0].(String)
	if !ok {
		n, err := count("the width of indent", bound[0], 4)
		if err != nil {
			return nil, err
		}
		spaces, err := rt.repeatText(" ", int(min(max(n, 0), maxWidth)))
		if err != nil {
			return nil, err
		}
		indentation = text(spaces)
	}
	if s.safe {
		indentation = escaped(indentation)
	}
	lines := splitLines(s.Text+"\n", false)
	size, err := rt.repeated(len(indentation.Text)+1, len(lines))
	if err == nil {
		err = rt.grow(len(s.Text) + size)
	}
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteByte('\n')
		}
		if i == 0 && flag(bound[1]) || i > 0 && (line != "" || flag(bound[2])) {
			out.WriteString(indentation.Text)
		}
		out.WriteString(line)
	}
	return s.like(out.String()), nil
}

func centerFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("center", 0, args, "width")
	if err != nil {
		return nil, err
	}
	s, err := rt.softText(v)
	if err != nil {
		return nil, err
	}
	width, err := count("the width of center", bound[0], 80)
	if err != nil {
		return nil, err
	}
	return rt.padded(s, width, " ", '^')
}

// truncateFilter cuts a text to a length, at a space unless killwords, if it is
// longer than the length by more than the leeway.
func truncateFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("truncate", 0, args, "length", "killwords", "end", "leeway")
	if err != nil {
		return nil, err
	}
	length, err := count("the length of truncate", bound[0], 255)
	if err != nil {
		return nil, err
	}
	if bound[3] != nil && isNone(bound[3]) {
		bound[3] = nil
	}
	leeway, err := count("the leeway of truncate", bound[3], 5)
	if err != nil {
		return nil, err
	}
	end := text("...")
	if bound[2] != nil {
		var ok bool
		if end, ok = bound[2].(String); !ok {
			return nil, failf("the end of truncate must be a string, not a %s", bound[2].typeName())
		}
	}
	endLength, err := rt.characters(end.Text)
	if err != nil {
		return nil, err
	}
	if length < int64(endLength) || leeway < 0 {
		return nil, failf("truncate needs a length of at least %d, and a leeway that is not negative", endLength)
	}
	n, err := rt.length(v)
	if err != nil || int64(n) <= length+leeway {
		return v, err
	}
	s, ok := v.(String)
	if !ok {
		return nil, failf("truncate needs a string, not a %s", v.typeName())
	}
	cut := substring(s.Text, 0, int(length)-endLength)
	if i := strings.LastIndexByte(cut, ' '); i >= 0 && !flag(bound[1]) {
		cut = cut[:i]
	}
	return rt.addText(s.like(cut), end)
}

// wordwrapFilter breaks every line of a text at a width.
func wordwrapFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("wordwrap", 0, args, "width", "break_long_words", "wrapstring", "break_on_hyphens")
	if err != nil {
		return nil, err
	}
	s, ok := v.(String)
	if !ok {
		return nil, failf("wordwrap needs a string, not a %s", v.typeName())
	}
	width, err := count("the width of wordwrap", bound[0], 79)
	if err != nil {
		return nil, err
	}
	if width <= 0 || width > maxWidth {
		return nil, failf("the width of wordwrap must be from 1 to %d", maxWidth)
	}
	between := text("\n")
	if bound[2] != nil && !isNone(bound[2]) {
		if between, err = rt.str(bound[2]); err != nil {
			return nil, err
		}
	}
	w := wrapper{
		width:     int(width),
		breakLong: bound[1] == nil || truth(bound[1]),
		hyphens:   bound[3] == nil || truth(bound[3]),
	}
	var lines []string
	for _, line := range splitLines(s.Text, false) {
		if err := rt.step(len(line)); err != nil {
			return nil, err
		}
		if err := rt.grow(4 * len(line)); err != nil {
			return nil, err
		}
		lines = append(lines, strings.Join(w.wrap(line), between.Text))
	}
	size, err := rt.repeated(len(between.Text), len(s.Text))
	if err == nil {
		err = rt.grow(size)
	}
	return text(strings.Join(lines, between.Text)), err
}
