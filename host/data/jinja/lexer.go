package jinja

import (
	"strings"
	"unicode/utf8"
)

// A lexer splits a template into tokens. Text, comments and raw blocks are found
// first; inside {{ }} and {% %} the tokens are those of Python's expressions.
// White space around tags is taken away here: the parser never sees it.
type lexer struct {
	source string
	pos    int
	line   int
	tokens []token
	// lineStart: the last thing read ended with a newline (or nothing was read
	// yet), so that white space before a tag is the whole of its line.
	lineStart bool
}

// lex is the tokens of a source, without a last tokenEOF.
func lex(source string) ([]token, error) {
	l := &lexer{source: normalizeNewlines(source), line: 1, lineStart: true}
	l.source = strings.TrimSuffix(l.source, "\n")
	for l.pos < len(l.source) {
		if err := l.text(); err != nil {
			return nil, err
		}
	}
	return l.tokens, nil
}

// normalizeNewlines makes every line end "\n".
func normalizeNewlines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func syntaxError(line int, message string) error {
	return &Error{Line: line, Kind: Syntax, Message: message}
}

func (l *lexer) emit(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, line: l.line, text: text})
}

// take moves past n bytes and counts their lines.
func (l *lexer) take(n int) {
	l.line += strings.Count(l.source[l.pos:l.pos+n], "\n")
	l.pos += n
}

// text reads the text up to the next tag, and the tag.
func (l *lexer) text() error {
	rest := l.source[l.pos:]
	at := nextTag(rest)
	if at < 0 {
		l.emit(tokenData, rest)
		l.take(len(rest))
		return nil
	}
	opening := rest[at : at+2]
	width, sign := 2, byte(0)
	if at+2 < len(rest) && (rest[at+2] == '-' || rest[at+2] == '+') {
		width, sign = 3, rest[at+2]
	}
	text := l.stripBefore(rest[:at], sign, opening == "{{")
	if text != "" {
		l.emit(tokenData, text)
	}
	l.take(at)
	if opening == "{%" {
		if n := rawBegin(rest[at+width:]); n > 0 {
			l.lineStart = strings.HasSuffix(rest[at:at+width+n], "\n")
			l.take(width + n)
			return l.raw()
		}
	}
	l.take(width)
	l.lineStart = false
	switch opening {
	case "{#":
		return l.comment()
	case "{{":
		l.emit(tokenVariableBegin, "")
		return l.expression(l.variableEnd, tokenVariableEnd)
	default:
		l.emit(tokenBlockBegin, "")
		return l.expression(l.blockEnd, tokenBlockEnd)
	}
}

// nextTag is where the next {{, {% or {# begins, or -1.
func nextTag(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 >= len(s) {
			return -1
		}
		from += i
		switch s[from+1] {
		case '{', '%', '#':
			return from
		}
		from++
	}
}

// stripBefore is the text before a tag without the white space that the tag
// takes away: all of it with "-"; with lstrip_blocks, that between the start of
// the line and a tag that is not {{.
func (l *lexer) stripBefore(text string, sign byte, variable bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || variable:
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.lineStart) && strings.TrimLeftFunc(text[start:], isSpace) == "" {
		return text[:start]
	}
	return text
}

// spaces is the length of the white space that s begins with.
func spaces(s string) int {
	return len(s) - len(strings.TrimLeftFunc(s, isSpace))
}

// blockEnd is the length of "%}" at the start of s, with the white space that it
// takes away (one newline; with "-" all), or 0.
func (l *lexer) blockEnd(s string) int { return closing(s, "%}", true) }

// variableEnd is the same for "}}", which takes away nothing without "-".
func (l *lexer) variableEnd(s string) int { return closing(s, "}}", false) }

func closing(s, mark string, trim bool) int {
	switch {
	case strings.HasPrefix(s, mark):
		if n := len(mark); trim && n < len(s) && s[n] == '\n' {
			return n + 1
		}
		return len(mark)
	case trim && strings.HasPrefix(s, "+"+mark):
		return 1 + len(mark)
	case strings.HasPrefix(s, "-"+mark):
		n := 1 + len(mark)
		return n + spaces(s[n:])
	}
	return 0
}

// rawBegin is the length of `raw %}` after "{%", or 0.
func rawBegin(s string) int {
	n := spaces(s)
	if !strings.HasPrefix(s[n:], "raw") {
		return 0
	}
	n += len("raw")
	n += spaces(s[n:])
	switch {
	case strings.HasPrefix(s[n:], "-%}"):
		n += 3
		return n + spaces(s[n:])
	case strings.HasPrefix(s[n:], "%}"):
		return n + 2
	}
	return 0
}

// raw reads the text of a raw block and its end tag.
func (l *lexer) raw() error {
	if l.pos == len(l.source) {
		return nil
	}
	rest := l.source[l.pos:]
	for from := 0; ; from += 2 {
		i := strings.Index(rest[from:], "{%")
		if i < 0 {
			return syntaxError(l.line, "a raw block is not closed by {% endraw %}")
		}
		from += i
		end, sign := from+2, byte(0)
		if end < len(rest) && (rest[end] == '-' || rest[end] == '+') {
			sign = rest[end]
			end++
		}
		end += spaces(rest[end:])
		if !strings.HasPrefix(rest[end:], "endraw") {
			continue
		}
		end += len("endraw")
		end += spaces(rest[end:])
		n := closing(rest[end:], "%}", true)
		if n == 0 {
			continue
		}
		if text := l.stripBefore(rest[:from], sign, false); text != "" {
			l.emit(tokenData, text)
		}
		l.lineStart = strings.HasSuffix(rest[:end+n], "\n")
		l.take(end + n)
		return nil
	}
}

// comment skips a comment.
func (l *lexer) comment() error {
	rest := l.source[l.pos:]
	if rest == "" {
		return nil
	}
	end := strings.Index(rest, "#}")
	if end < 0 {
		return syntaxError(l.line, "a comment is not closed by #}")
	}
	if end > 0 && (rest[end-1] == '-' || rest[end-1] == '+') {
		end--
	}
	end += closing(rest[end:], "#}", true)
	l.lineStart = strings.HasSuffix(rest[:end], "\n")
	l.take(end)
	return nil
}

// expression reads the tokens inside {{ }} or {% %}, and the end of the tag.
func (l *lexer) expression(end func(string) int, kind tokenKind) error {
	var open []byte // the closing brackets still to come
	for l.pos < len(l.source) {
		rest := l.source[l.pos:]
		if len(open) == 0 {
			if n := end(rest); n > 0 {
				l.emit(kind, "")
				l.lineStart = strings.HasSuffix(rest[:n], "\n")
				l.take(n)
				return nil
			}
		}
		if n := spaces(rest); n > 0 {
			l.take(n)
			continue
		}
		done, err := l.literal(rest)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		operator := operatorAt(rest)
		if operator == "" {
			r, _ := utf8.DecodeRuneInString(rest)
			return syntaxError(l.line, "unexpected character '"+string(r)+"'")
		}
		if open, err = l.balance(open, operator); err != nil {
			return err
		}
		l.emit(tokenOperator, operator)
		l.take(len(operator))
	}
	return nil
}

// balance follows brackets: a tag ends only where all are closed.
func (l *lexer) balance(open []byte, operator string) ([]byte, error) {
	switch operator {
	case "(":
		return append(open, ')'), nil
	case "[":
		return append(open, ']'), nil
	case "{":
		return append(open, '}'), nil
	case ")", "]", "}":
		if len(open) == 0 {
			return nil, syntaxError(l.line, "'"+operator+"' closes nothing")
		}
		if want := open[len(open)-1]; want != operator[0] {
			return nil, syntaxError(l.line, "found '"+operator+"' where '"+string(want)+"' must close")
		}
		return open[:len(open)-1], nil
	}
	return open, nil
}

// operatorAt is the longest operator that s begins with, or "".
func operatorAt(s string) string {
	if len(s) >= 2 {
		switch s[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			return s[:2]
		}
	}
	if strings.IndexByte("+-/*%~[](){}><=.:|,;", s[0]) >= 0 {
		return s[:1]
	}
	return ""
}
