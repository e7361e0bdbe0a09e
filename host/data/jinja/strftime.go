package jinja

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// strftime is a time in a layout of C's strftime, in the C locale, as Python's
// datetime without a time zone gives it (%z and %Z are empty). The flag "-" leaves
// out leading zeros. Unknown directives stand for themselves.
func strftime(t time.Time, layout string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(layout, '%')
		if i < 0 || i+1 == len(layout) {
			out.WriteString(layout)
			return out.String()
		}
		out.WriteString(layout[:i])
		layout = layout[i+1:]
		flag := byte(0)
		if len(layout) > 1 && strings.IndexByte("-_^#0", layout[0]) >= 0 {
			flag = layout[0]
			layout = layout[1:]
		}
		directive, n := utf8.DecodeRuneInString(layout)
		layout = layout[n:]
		s, ok := directiveText(t, directive)
		switch {
		case !ok:
			out.WriteByte('%')
			if flag != 0 {
				out.WriteByte(flag)
			}
			out.WriteRune(directive)
		default:
			out.WriteString(flagged(s, flag))
		}
	}
}

// flagged applies the flags of glibc: no padding, spaces for zeros, uppercase.
func flagged(s string, flag byte) string {
	trimmed := strings.TrimLeft(s, "0 ")
	if trimmed == "" || !isDecimal(trimmed[0]) {
		trimmed = s
		if strings.TrimLeft(s, "0") == "" && s != "" {
			trimmed = "0"
		}
	}
	switch flag {
	case '-':
		return trimmed
	case '_':
		return strings.Repeat(" ", len(s)-len(trimmed)) + trimmed
	case '0':
		return strings.ReplaceAll(s, " ", "0")
	case '^', '#':
		return strings.ToUpper(s)
	}
	return s
}

func directiveText(t time.Time, directive rune) (string, bool) {
	two := func(n int) (string, bool) { return fmt.Sprintf("%02d", n), true }
	padded := func(n int) (string, bool) { return fmt.Sprintf("%2d", n), true }
	composed := func(layout string) (string, bool) { return strftime(t, layout), true }
	hour := (t.Hour()+11)%12 + 1
	switch directive {
	case 'a':
		return t.Weekday().String()[:3], true
	case 'A':
		return t.Weekday().String(), true
	case 'b', 'h':
		return t.Month().String()[:3], true
	case 'B':
		return t.Month().String(), true
	case 'd':
		return two(t.Day())
	case 'e':
		return padded(t.Day())
	case 'H':
		return two(t.Hour())
	case 'I':
		return two(hour)
	case 'k':
		return padded(t.Hour())
	case 'l':
		return padded(hour)
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), true
	case 'm':
		return two(int(t.Month()))
	case 'M':
		return two(t.Minute())
	case 'S':
		return two(t.Second())
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 'p':
		return [...]string{"AM", "PM"}[t.Hour()/12], true
	case 'P':
		return [...]string{"am", "pm"}[t.Hour()/12], true
	case 'y':
		return two(t.Year() % 100)
	case 'Y':
		return fmt.Sprint(t.Year()), true
	case 'C':
		return two(t.Year() / 100)
	case 'u':
		return fmt.Sprint((int(t.Weekday())+6)%7 + 1), true
	case 'w':
		return fmt.Sprint(int(t.Weekday())), true
	case 'U':
		return two((t.YearDay() + 6 - int(t.Weekday())) / 7)
	case 'W':
		return two((t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7)
	case 'G':
		year, _ := t.ISOWeek()
		return fmt.Sprint(year), true
	case 'g':
		year, _ := t.ISOWeek()
		return two(year % 100)
	case 'V':
		_, week := t.ISOWeek()
		return two(week)
	case 's':
		return fmt.Sprint(t.Unix()), true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	case 'z', 'Z':
		return "", true
	case 'c':
		return composed("%a %b %e %H:%M:%S %Y")
	case 'D', 'x':
		return composed("%m/%d/%y")
	case 'F':
		return composed("%Y-%m-%d")
	case 'R':
		return composed("%H:%M")
	case 'r':
		return composed("%I:%M:%S %p")
	case 'T', 'X':
		return composed("%H:%M:%S")
	}
	return "", false
}
