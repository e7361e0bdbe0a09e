package jinja

import "fmt"

// The grammar of expressions, loosest first: conditional, or, and, not,
// comparison, + and -, ~, * / // %, **, unary, then filters and tests, and
// closest attributes, items and calls. "~" binds closer than "+", and "**"
// groups from the left: Jinja's rules, not Python's.

// tupleOptions say where an expression list stands.
type tupleOptions struct {
	conditional bool // "a if b" may stand
	simple      bool // only names, literals and brackets
	target      bool // what is read will be assigned to
	namespace   bool // simple: ns.name may stand
	brackets    bool // inside brackets: () is the empty tuple
}

// expression reads one expression.
func (p *parser) expression() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.conditional()
}

// tuple reads expressions between commas: one alone is itself.
func (p *parser) tuple(options tupleOptions) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	at := p.current().line
	var items []expression
	tuple := false
	for {
		if len(items) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		if p.atTupleEnd() {
			break
		}
		item, err := p.tupleItem(options)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.current().is(",") {
			break
		}
		tuple = true
		at = p.current().line
	}
	if !tuple {
		if len(items) == 1 {
			return items[0], nil
		}
		if !options.brackets {
			return nil, p.expected("an expression")
		}
	}
	return &tupleExpression{line(at), items}, nil
}

func (p *parser) tupleItem(options tupleOptions) (expression, error) {
	switch {
	case options.simple:
		return p.primary(options.namespace)
	case options.conditional:
		return p.conditional()
	}
	return p.or()
}

func (p *parser) atTupleEnd() bool {
	t := p.current()
	return t.kind == tokenVariableEnd || t.kind == tokenBlockEnd || t.is(")")
}

func (p *parser) conditional() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	at := p.current().line
	value, err := p.or()
	for n := 0; err == nil && p.skipName("if"); n++ {
		if n > maxNesting {
			return nil, p.tooLong()
		}
		c := &conditionalExpression{line: line(at), then: value}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skipName("else") {
			if c.otherwise, err = p.conditional(); err != nil {
				return nil, err
			}
		}
		value = c
		at = p.current().line
	}
	return value, err
}

func (p *parser) tooLong() error {
	return &Error{Line: p.current().line, Kind: Limit, Message: fmt.Sprintf("an expression chains more than %d operators", maxChain)}
}

func (p *parser) or() (expression, error)  { return p.logical(true, "or", p.and) }
func (p *parser) and() (expression, error) { return p.logical(false, "and", p.not) }

func (p *parser) logical(or bool, name string, operand func() (expression, error)) (expression, error) {
	at := p.current().line
	first, err := operand()
	if err != nil || !p.current().named(name) {
		return first, err
	}
	chain := &logicalExpression{line: line(at), or: or, operands: []expression{first}}
	for p.skipName(name) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		chain.operands = append(chain.operands, next)
	}
	return chain, nil
}

func (p *parser) not() (expression, error) {
	at := p.current().line
	if !p.skipName("not") {
		return p.comparison()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	operand, err := p.not()
	return &unaryExpression{line(at), "not", operand}, err
}

func (p *parser) comparison() (expression, error) {
	at := p.current().line
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	chain := &compareExpression{line: line(at), first: first}
	for {
		operator := p.comparisonOperator()
		if operator == "" {
			break
		}
		next, err := p.sum()
		if err != nil {
			return nil, err
		}
		chain.operators = append(chain.operators, operator)
		chain.rest = append(chain.rest, next)
	}
	if len(chain.rest) == 0 {
		return first, nil
	}
	return chain, nil
}

// comparisonOperator moves past a comparison operator, if one is next.
func (p *parser) comparisonOperator() string {
	t := p.current()
	switch {
	case t.kind == tokenOperator:
		switch t.text {
		case "==", "!=", "<", "<=", ">", ">=":
			p.advance()
			return t.text
		}
	case t.named("in"):
		p.advance()
		return "in"
	case t.named("not") && p.look().named("in"):
		p.advance()
		p.advance()
		return "not in"
	}
	return ""
}

// binary reads a chain of operators of one level, grouped from the left.
func (p *parser) binary(operators []string, operand func() (expression, error)) (expression, error) {
	at := p.current().line
	first, err := operand()
	if err != nil {
		return nil, err
	}
	chain := &binaryExpression{line: line(at), first: first}
	for p.current().kind == tokenOperator && contains(operators, p.current().text) {
		operator := p.advance().text
		next, err := operand()
		if err != nil {
			return nil, err
		}
		chain.operators = append(chain.operators, operator)
		chain.rest = append(chain.rest, next)
	}
	if len(chain.rest) == 0 {
		return first, nil
	}
	return chain, nil
}

func (p *parser) sum() (expression, error) {
	return p.binary([]string{"+", "-"}, p.concat)
}

func (p *parser) concat() (expression, error) {
	at := p.current().line
	first, err := p.product()
	if err != nil || !p.current().is("~") {
		return first, err
	}
	chain := &concatExpression{line(at), []expression{first}}
	for p.skipOperator("~") {
		next, err := p.product()
		if err != nil {
			return nil, err
		}
		chain.items = append(chain.items, next)
	}
	return chain, nil
}

func (p *parser) product() (expression, error) {
	return p.binary([]string{"*", "/", "//", "%"}, p.power)
}

func (p *parser) power() (expression, error) {
	return p.binary([]string{"**"}, func() (expression, error) { return p.unary(true) })
}

// unary reads a sign and its operand, or an operand; filters and tests follow
// the outermost sign.
func (p *parser) unary(filters bool) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var value expression
	var err error
	if t := p.current(); t.is("-") || t.is("+") {
		p.advance()
		operand, err := p.unary(false)
		if err != nil {
			return nil, err
		}
		value = &unaryExpression{line(t.line), t.text, operand}
	} else if value, err = p.primary(false); err != nil {
		return nil, err
	}
	if value, err = p.postfix(value); err != nil || !filters {
		return value, err
	}
	return p.filtersAndTests(value)
}

// primary reads a name, a literal or brackets.
func (p *parser) primary(namespace bool) (expression, error) {
	t := p.current()
	at := line(t.line)
	switch {
	case t.kind == tokenName:
		return p.name(namespace)
	case t.kind == tokenString:
		return p.stringLiteral(), nil
	case t.kind == tokenInteger:
		p.advance()
		return &constantExpression{at, integer(t.integer)}, nil
	case t.kind == tokenFloat:
		p.advance()
		return &constantExpression{at, Float(t.float)}, nil
	case t.is("("):
		p.advance()
		value, err := p.tuple(tupleOptions{conditional: true, brackets: true})
		if err != nil {
			return nil, err
		}
		return value, p.expectOperator(")")
	case t.is("["):
		return p.list()
	case t.is("{"):
		return p.dict()
	}
	return nil, p.expected("an expression")
}

func (p *parser) name(namespace bool) (expression, error) {
	t := p.advance()
	at := line(t.line)
	switch t.text {
	case "true", "True":
		return &constantExpression{at, Bool(true)}, nil
	case "false", "False":
		return &constantExpression{at, Bool(false)}, nil
	case "none", "None":
		return &constantExpression{at, None{}}, nil
	}
	if namespace && p.skipOperator(".") {
		attribute, err := p.expectKind(tokenName)
		return &namespaceExpression{at, t.text, attribute.text}, err
	}
	return &nameExpression{line: at, name: t.text}, nil
}

// stringLiteral joins neighbouring literals, as Python does.
func (p *parser) stringLiteral() expression {
	at := p.current().line
	var text string
	if p.look().kind != tokenString {
		text = p.advance().text
	} else {
		var joined []byte
		for p.current().kind == tokenString {
			joined = append(joined, p.advance().text...)
		}
		text = string(joined)
	}
	return &constantExpression{line(at), String{Text: text}}
}

func (p *parser) list() (expression, error) {
	out := &listExpression{line: line(p.advance().line)}
	for !p.current().is("]") {
		if len(out.items) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
			if p.current().is("]") {
				break
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, item)
	}
	return out, p.expectOperator("]")
}

func (p *parser) dict() (expression, error) {
	out := &dictExpression{line: line(p.advance().line)}
	for !p.current().is("}") {
		if len(out.keys) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
			if p.current().is("}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expectOperator(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		out.keys = append(out.keys, key)
		out.values = append(out.values, value)
	}
	return out, p.expectOperator("}")
}
