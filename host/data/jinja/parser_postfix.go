package jinja

import "strconv"

// postfix reads the attributes, items and calls after a value.
func (p *parser) postfix(value expression) (expression, error) {
	for n := 0; ; n++ {
		if n > maxChain {
			return nil, p.tooLong()
		}
		var err error
		switch t := p.current(); {
		case t.is("."):
			value, err = p.attribute(value)
		case t.is("["):
			value, err = p.item(value)
		case t.is("("):
			value, err = p.call(value)
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// filtersAndTests reads filters, tests and calls of their results.
func (p *parser) filtersAndTests(value expression) (expression, error) {
	for n := 0; ; n++ {
		if n > maxChain {
			return nil, p.tooLong()
		}
		var err error
		switch t := p.current(); {
		case t.is("|"):
			p.advance()
			value, err = p.filter(value)
		case t.named("is"):
			value, err = p.test(value)
		case t.is("("):
			value, err = p.call(value)
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) attribute(object expression) (expression, error) {
	at := line(p.advance().line)
	switch t := p.advance(); t.kind {
	case tokenName:
		return &attributeExpression{at, object, t.text}, nil
	case tokenInteger:
		return &itemExpression{at, object, &constantExpression{at, integer(t.integer)}}, nil
	default:
		return nil, p.fail(t.line, "expected a name or number after '.', found %s", t.describe())
	}
}

func (p *parser) item(object expression) (expression, error) {
	at := line(p.advance().line)
	var keys []expression
	for !p.current().is("]") {
		if len(keys) > 0 {
			if err := p.expectOperator(","); err != nil {
				return nil, err
			}
		}
		key, err := p.subscript()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if err := p.expectOperator("]"); err != nil {
		return nil, err
	}
	if len(keys) == 1 {
		return &itemExpression{at, object, keys[0]}, nil
	}
	for _, key := range keys {
		if _, ok := key.(*sliceExpression); ok {
			return nil, p.fail(key.at(), "a slice cannot stand beside other keys")
		}
	}
	return &itemExpression{at, object, &tupleExpression{at, keys}}, nil
}

// subscript reads a key or a slice.
func (p *parser) subscript() (expression, error) {
	at := line(p.current().line)
	var start expression
	if !p.current().is(":") {
		var err error
		if start, err = p.expression(); err != nil || !p.current().is(":") {
			return start, err
		}
	}
	p.advance()
	out := &sliceExpression{line: at, start: start}
	var err error
	if t := p.current(); !t.is(":") && !t.is("]") && !t.is(",") {
		if out.stop, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.skipOperator(":") {
		if t := p.current(); !t.is("]") && !t.is(",") {
			out.step, err = p.expression()
		}
	}
	return out, err
}

func (p *parser) call(function expression) (expression, error) {
	out := &callExpression{line: line(p.current().line), function: function}
	var err error
	out.arguments, err = p.callArguments()
	return out, err
}

// callArguments reads the arguments of a call, brackets included.
func (p *parser) callArguments() (arguments, error) {
	var a arguments
	open := p.current().line
	if err := p.expectOperator("("); err != nil {
		return a, err
	}
	for first := true; !p.current().is(")"); first = false {
		if !first {
			if err := p.expectOperator(","); err != nil {
				return a, err
			}
			if p.current().is(")") {
				break
			}
		}
		ordered, err := p.callArgument(&a)
		if err != nil {
			return a, err
		}
		if !ordered {
			return a, p.fail(open, "the arguments of a call must be positional ones, then named ones, *args and **kwargs")
		}
	}
	return a, p.expectOperator(")")
}

// callArgument reads one argument, and reports whether it may stand after those
// before it.
func (p *parser) callArgument(a *arguments) (bool, error) {
	var err error
	switch {
	case p.skipOperator("*"):
		if a.star != nil || a.starStar != nil {
			return false, nil
		}
		a.star, err = p.expression()
	case p.skipOperator("**"):
		if a.starStar != nil {
			return false, nil
		}
		a.starStar, err = p.expression()
	case p.current().kind == tokenName && p.look().is("="):
		if a.starStar != nil {
			return false, nil
		}
		name := p.advance()
		p.advance()
		if contains(a.names, name.text) {
			return false, p.fail(name.line, "the argument %s stands twice", strconv.Quote(name.text))
		}
		var value expression
		value, err = p.expression()
		a.names = append(a.names, name.text)
		a.named = append(a.named, value)
	default:
		if a.star != nil || a.starStar != nil || len(a.names) > 0 {
			return false, nil
		}
		var value expression
		value, err = p.expression()
		a.positional = append(a.positional, value)
	}
	return true, err
}

// dottedName reads the name of a filter or test.
func (p *parser) dottedName() (token, error) {
	name, err := p.expectKind(tokenName)
	for err == nil && p.skipOperator(".") {
		var part token
		part, err = p.expectKind(tokenName)
		name.text += "." + part.text
	}
	return name, err
}

// filter reads a filter's name and arguments; the "|" is behind.
func (p *parser) filter(input expression) (*filterExpression, error) {
	name, err := p.dottedName()
	if err != nil {
		return nil, err
	}
	out := &filterExpression{line: line(name.line), input: input, name: name.text}
	if p.current().is("(") {
		out.arguments, err = p.callArguments()
	}
	return out, err
}

// filters reads a chain of filters on input, which is nil or a filter; nil if
// there is none.
func (p *parser) filters(input *filterExpression) (*filterExpression, error) {
	for n := 0; p.skipOperator("|"); n++ {
		if n > maxChain {
			return nil, p.tooLong()
		}
		var inner expression
		if input != nil {
			inner = input
		}
		next, err := p.filter(inner)
		if err != nil {
			return nil, err
		}
		input = next
	}
	return input, nil
}

// test reads "is name", "is not name", with arguments in brackets or one without.
func (p *parser) test(input expression) (expression, error) {
	at := line(p.advance().line)
	negated := p.skipName("not")
	name, err := p.dottedName()
	if err != nil {
		return nil, err
	}
	out := &testExpression{line: at, input: input, name: name.text}
	if p.current().is("(") {
		out.arguments, err = p.callArguments()
	} else if p.testArgumentFollows() {
		if p.current().named("is") {
			return nil, p.fail(p.current().line, "tests cannot follow each other: write 'x is a and x is b'")
		}
		var argument expression
		if argument, err = p.primary(false); err == nil {
			argument, err = p.postfix(argument)
		}
		out.positional = []expression{argument}
	}
	if err != nil || !negated {
		return out, err
	}
	return &unaryExpression{at, "not", out}, nil
}

func (p *parser) testArgumentFollows() bool {
	switch t := p.current(); t.kind {
	case tokenName:
		return t.text != "else" && t.text != "or" && t.text != "and"
	case tokenString, tokenInteger, tokenFloat:
		return true
	default:
		return t.is("[") || t.is("{")
	}
}
