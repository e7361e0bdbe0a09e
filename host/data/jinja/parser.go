package jinja

import (
	"fmt"
	"strings"
)

// A parser reads statements; parse_expression.go reads expressions.
type parser struct {
	tokens []token
	next   int
	eof    token
	// depth is how many blocks and expressions are open.
	depth int
	// open are the tags that wait for their end tag, innermost last.
	open []string
}

// parse is the syntax tree of a source.
func parse(source string) ([]statement, error) {
	if len(source) > maxSource {
		return nil, &Error{Kind: Limit, Message: fmt.Sprintf("the template has %d bytes, more than %d", len(source), maxSource)}
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, eof: token{kind: tokenEOF, line: 1}}
	if len(tokens) > 0 {
		p.eof.line = tokens[len(tokens)-1].line
	}
	return p.statements(nil)
}

func (p *parser) current() token {
	if p.next < len(p.tokens) {
		return p.tokens[p.next]
	}
	return p.eof
}

func (p *parser) look() token {
	if p.next+1 < len(p.tokens) {
		return p.tokens[p.next+1]
	}
	return p.eof
}

func (p *parser) advance() token {
	t := p.current()
	if p.next < len(p.tokens) {
		p.next++
	}
	return t
}

func (p *parser) skipName(name string) bool {
	if p.current().named(name) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) skipOperator(operator string) bool {
	if p.current().is(operator) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) fail(line int, format string, args ...any) error {
	return syntaxError(line, fmt.Sprintf(format, args...))
}

func (p *parser) expected(what string) error {
	t := p.current()
	return p.fail(t.line, "expected %s, found %s", what, t.describe())
}

func (p *parser) expectOperator(operator string) error {
	if !p.skipOperator(operator) {
		return p.expected("'" + operator + "'")
	}
	return nil
}

func (p *parser) expectName(name string) error {
	if !p.skipName(name) {
		return p.expected("'" + name + "'")
	}
	return nil
}

func (p *parser) expectKind(kind tokenKind) (token, error) {
	if t := p.current(); t.kind != kind {
		what := token{kind: kind}.describe()
		if kind == tokenName {
			what = "a name"
		}
		return t, p.expected(what)
	}
	return p.advance(), nil
}

// enter goes one block or expression deeper.
func (p *parser) enter() error {
	p.depth++
	if p.depth > maxNesting {
		return &Error{Line: p.current().line, Kind: Limit, Message: fmt.Sprintf("the template nests more than %d levels deep", maxNesting)}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// statements reads up to one of the end tags, whose name is then the current
// token; with none, up to the end of the template.
func (p *parser) statements(ends []string) ([]statement, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var body []statement
	for {
		t := p.current()
		switch t.kind {
		case tokenEOF:
			if ends != nil {
				return nil, p.unclosed(ends)
			}
			return body, nil
		case tokenData:
			p.advance()
			body = append(body, &textStatement{line(t.line), t.text})
		case tokenVariableBegin:
			p.advance()
			value, err := p.tuple(tupleOptions{conditional: true})
			if err != nil {
				return nil, err
			}
			if _, err := p.expectKind(tokenVariableEnd); err != nil {
				return nil, err
			}
			body = append(body, &printStatement{line(t.line), value})
		default:
			p.advance()
			if name := p.current(); name.kind == tokenName && contains(ends, name.text) {
				return body, nil
			}
			s, err := p.statement()
			if err != nil {
				return nil, err
			}
			body = append(body, s...)
			if _, err := p.expectKind(tokenBlockEnd); err != nil {
				return nil, err
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func (p *parser) unclosed(ends []string) error {
	return p.fail(p.eof.line, "the template ends before {%% %s %%}%s", strings.Join(ends, " %} or {% "), p.innermost())
}

func (p *parser) innermost() string {
	if len(p.open) == 0 {
		return ""
	}
	return fmt.Sprintf("; the innermost open block is {%% %s %%}", p.open[len(p.open)-1])
}

// body reads "%}", statements, and one of the end tags, which it returns. The
// token after the end tag's name is then the current one.
func (p *parser) body(ends ...string) ([]statement, token, error) {
	p.skipOperator(":")
	if _, err := p.expectKind(tokenBlockEnd); err != nil {
		return nil, token{}, err
	}
	body, err := p.statements(ends)
	if err != nil {
		return nil, token{}, err
	}
	return body, p.advance(), nil
}

// statement reads one tag after "{%", and its body if it has one. Its "%}" is
// left to the caller.
func (p *parser) statement() ([]statement, error) {
	name, err := p.expectKind(tokenName)
	if err != nil {
		return nil, p.fail(p.current().line, "expected the name of a tag, found %s", p.current().describe())
	}
	p.open = append(p.open, name.text)
	s, err := p.tag(name)
	p.open = p.open[:len(p.open)-1]
	return s, err
}

func (p *parser) tag(name token) ([]statement, error) {
	at := line(name.line)
	one := func(s statement, err error) ([]statement, error) {
		if err != nil {
			return nil, err
		}
		return []statement{s}, nil
	}
	switch name.text {
	case "if":
		return one(p.ifStatement(at))
	case "for":
		return one(p.forStatement(at))
	case "set":
		return one(p.setStatement(at))
	case "with":
		return one(p.withStatement(at))
	case "macro":
		return one(p.macroStatement(at))
	case "call":
		return one(p.callStatement(at))
	case "filter":
		return one(p.filterStatement(at))
	case "generation":
		return one(p.generationStatement(at))
	case "block":
		return one(p.blockStatement(at))
	case "autoescape":
		return one(p.autoescapeStatement(at))
	case "print":
		return p.printStatements(at)
	case "break":
		return []statement{&loopControlStatement{at, signalBreak}}, nil
	case "continue":
		return []statement{&loopControlStatement{at, signalContinue}}, nil
	case "include", "import", "from", "extends":
		return one(p.refusedStatement(at, name.text))
	}
	p.open = p.open[:len(p.open)-1]
	err := p.fail(name.line, "unknown tag '%s'%s", name.text, p.innermost())
	p.open = append(p.open, name.text)
	return nil, err
}

func (p *parser) printStatements(at line) ([]statement, error) {
	var out []statement
	for p.current().kind != tokenBlockEnd {
		if out != nil {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, &printStatement{at, value})
	}
	return out, nil
}

func (p *parser) ifStatement(at line) (statement, error) {
	s := &ifStatement{line: at}
	for {
		test, err := p.tuple(tupleOptions{})
		if err != nil {
			return nil, err
		}
		body, end, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.tests = append(s.tests, test)
		s.bodies = append(s.bodies, body)
		switch end.text {
		case "elif":
			continue
		case "else":
			s.otherwise, _, err = p.body("endif")
		}
		return s, err
	}
}

func (p *parser) forStatement(at line) (statement, error) {
	s := &forStatement{line: at}
	var err error
	if s.target, err = p.target(tupleOptions{}); err != nil {
		return nil, err
	}
	if err = p.expectName("in"); err != nil {
		return nil, err
	}
	if s.iterable, err = p.tuple(tupleOptions{}); err != nil {
		return nil, err
	}
	if p.skipName("if") {
		if s.test, err = p.expression(); err != nil {
			return nil, err
		}
		s.testTarget = s.target.clone()
	}
	s.recursive = p.skipName("recursive")
	var end token
	if s.body, end, err = p.body("endfor", "else"); err != nil {
		return nil, err
	}
	if end.text == "else" {
		s.otherwise, _, err = p.body("endfor")
	}
	return s, err
}

func (p *parser) setStatement(at line) (statement, error) {
	to, err := p.target(tupleOptions{namespace: true})
	if err != nil {
		return nil, err
	}
	if p.skipOperator("=") {
		value, err := p.tuple(tupleOptions{conditional: true})
		return &setStatement{line: at, target: to, value: value}, err
	}
	s := &setBlockStatement{line: at, target: to}
	if s.filters, err = p.filters(nil); err != nil {
		return nil, err
	}
	s.body, _, err = p.body("endset")
	return s, err
}

func (p *parser) withStatement(at line) (statement, error) {
	s := &withStatement{line: at}
	for p.current().kind != tokenBlockEnd {
		if len(s.targets) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		to, err := p.target(tupleOptions{})
		if err != nil {
			return nil, err
		}
		if err := p.expectOperator("="); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.targets = append(s.targets, to)
		s.values = append(s.values, value)
	}
	var err error
	s.body, _, err = p.body("endwith")
	return s, err
}
