package jinja

import "strings"

// signature reads the parameters of a macro or call block, brackets included.
func (p *parser) signature(m *macroDefinition) error {
	if err := p.expectOperator("("); err != nil {
		return err
	}
	for !p.current().is(")") {
		if len(m.parameters) > 0 {
			if err := p.expectOperator(","); err != nil {
				return err
			}
		}
		name, err := p.expectKind(tokenName)
		if err != nil {
			return err
		}
		if contains(m.parameters, name.text) {
			return p.fail(name.line, "the parameter '%s' stands twice", name.text)
		}
		if isReserved(name.text) {
			return p.fail(name.line, "cannot assign to '%s'", name.text)
		}
		if p.skipOperator("=") {
			value, err := p.expression()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, value)
		} else if len(m.defaults) > 0 {
			return p.fail(name.line, "the parameter '%s' needs a default, as the one before it has one", name.text)
		}
		m.parameters = append(m.parameters, name.text)
	}
	return p.expectOperator(")")
}

// isReserved reports whether the name is a constant of the language.
func isReserved(name string) bool {
	switch name {
	case "true", "false", "none", "True", "False", "None":
		return true
	}
	return false
}

func (p *parser) macroStatement(at line) (statement, error) {
	name, err := p.expectKind(tokenName)
	if err != nil {
		return nil, err
	}
	if isReserved(name.text) {
		return nil, p.fail(name.line, "cannot assign to '%s'", name.text)
	}
	m := &macroDefinition{line: at, name: name.text}
	if err := p.signature(m); err != nil {
		return nil, err
	}
	m.body, _, err = p.body("endmacro")
	return &macroStatement{line: at, name: name.text, macro: m}, err
}

func (p *parser) callStatement(at line) (statement, error) {
	m := &macroDefinition{line: at}
	if p.current().is("(") {
		if err := p.signature(m); err != nil {
			return nil, err
		}
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	call, ok := value.(*callExpression)
	if !ok {
		return nil, p.fail(int(at), "a call block needs a call, as in {%% call name() %%}")
	}
	m.body, _, err = p.body("endcall")
	return &callStatement{line: at, call: call, macro: m}, err
}

func (p *parser) generationStatement(at line) (statement, error) {
	m := &macroDefinition{line: at}
	var err error
	m.body, _, err = p.body("endgeneration")
	return &generationStatement{line: at, macro: m}, err
}

func (p *parser) filterStatement(at line) (statement, error) {
	s := &filterStatement{line: at}
	first, err := p.filter(nil)
	if err != nil {
		return nil, err
	}
	if s.filters, err = p.filters(first); err != nil {
		return nil, err
	}
	s.body, _, err = p.body("endfilter")
	return s, err
}

func (p *parser) autoescapeStatement(at line) (statement, error) {
	s := &autoescapeStatement{line: at}
	var err error
	if s.on, err = p.expression(); err != nil {
		return nil, err
	}
	s.body, _, err = p.body("endautoescape")
	return s, err
}

func (p *parser) blockStatement(at line) (statement, error) {
	name, err := p.expectKind(tokenName)
	if err != nil {
		return nil, err
	}
	s := &blockStatement{line: at, name: name.text}
	s.scoped = p.skipName("scoped")
	s.required = p.skipName("required")
	if p.current().is("-") {
		return nil, p.fail(name.line, "the name of a block cannot contain '-'")
	}
	s.block = &blockDefinition{name: name.text}
	if s.block.body, _, err = p.body("endblock"); err != nil {
		return nil, err
	}
	if s.required && !isBlank(s.block.body) {
		return nil, p.fail(name.line, "the required block '%s' must be empty", name.text)
	}
	p.skipName(name.text)
	return s, nil
}

func isBlank(body []statement) bool {
	for _, s := range body {
		text, ok := s.(*textStatement)
		if !ok || strings.TrimFunc(text.text, isSpace) != "" {
			return false
		}
	}
	return true
}

// refusedStatement reads a tag that needs other templates: nothing of it is
// done, but names and syntax are taken in, so that a template that never reaches
// the tag renders.
func (p *parser) refusedStatement(at line, tag string) (statement, error) {
	s := &refusedStatement{line: at, tag: tag}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	s.expressions = []expression{value}
	switch tag {
	case "include":
		if p.current().named("ignore") && p.look().named("missing") {
			p.advance()
			p.advance()
		}
		p.importContext()
	case "import":
		if err := p.expectName("as"); err != nil {
			return nil, err
		}
		name, err := p.expectKind(tokenName)
		if err != nil {
			return nil, err
		}
		s.names = []string{name.text}
		p.importContext()
	case "from":
		return s, p.importNames(s)
	}
	return s, nil
}

// importContext skips "with context" and "without context".
func (p *parser) importContext() bool {
	if (p.current().named("with") || p.current().named("without")) && p.look().named("context") {
		p.advance()
		p.advance()
		return true
	}
	return false
}

// importNames reads "import a, b as c".
func (p *parser) importNames(s *refusedStatement) error {
	if err := p.expectName("import"); err != nil {
		return err
	}
	for {
		if len(s.names) > 0 {
			if err := p.expectOperator(","); err != nil {
				return err
			}
		}
		if p.importContext() {
			return nil
		}
		name, err := p.expectKind(tokenName)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name.text, "_") {
			return p.fail(name.line, "'%s' cannot be imported: it begins with '_'", name.text)
		}
		if p.skipName("as") {
			if name, err = p.expectKind(tokenName); err != nil {
				return err
			}
		}
		s.names = append(s.names, name.text)
		if p.importContext() || !p.current().is(",") {
			return nil
		}
	}
}

// target reads what a set, for or with assigns to.
func (p *parser) target(options tupleOptions) (*target, error) {
	options.simple = true
	options.target = true
	value, err := p.tuple(options)
	if err != nil {
		return nil, err
	}
	return p.asTarget(value)
}

// namespaceExpression is ns.name where only an assignment can stand.
type namespaceExpression struct {
	line
	name, attribute string
}

// asTarget is the expression as something to assign to.
func (p *parser) asTarget(value expression) (*target, error) {
	at := line(value.at())
	switch e := value.(type) {
	case *nameExpression:
		return &target{line: at, name: e.name}, nil
	case *namespaceExpression:
		return &target{line: at, name: e.name, attribute: e.attribute}, nil
	case *tupleExpression:
		t := &target{line: at, tuple: true}
		for _, item := range e.items {
			to, err := p.asTarget(item)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, to)
		}
		return t, nil
	}
	return nil, p.fail(value.at(), "cannot assign to %s", describeExpression(value))
}

func describeExpression(e expression) string {
	switch e.(type) {
	case *constantExpression:
		return "a constant"
	case *listExpression:
		return "a list"
	case *dictExpression:
		return "a dict"
	case *callExpression:
		return "the result of a call"
	case *filterExpression:
		return "the result of a filter"
	}
	return "an expression"
}
