package jinja

import "math/big"

// tokenKind is a terminal of the grammar.
type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenData
	tokenBlockBegin    // {%
	tokenBlockEnd      // %}
	tokenVariableBegin // {{
	tokenVariableEnd   // }}
	tokenName
	tokenString
	tokenInteger
	tokenFloat
	tokenOperator
)

// A token is a terminal with its line, counted from 1.
type token struct {
	kind    tokenKind
	line    int
	text    string   // data, name, operator; the string's value
	integer *big.Int // tokenInteger
	float   float64  // tokenFloat
}

// is reports whether t is the operator.
func (t token) is(operator string) bool {
	return t.kind == tokenOperator && t.text == operator
}

// named reports whether t is the name, as keywords are.
func (t token) named(name string) bool {
	return t.kind == tokenName && t.text == name
}

// describe is what an error calls the token.
func (t token) describe() string {
	switch t.kind {
	case tokenEOF:
		return "the end of the template"
	case tokenData:
		return "template text"
	case tokenBlockBegin:
		return "{%"
	case tokenBlockEnd:
		return "%}"
	case tokenVariableBegin:
		return "{{"
	case tokenVariableEnd:
		return "}}"
	case tokenString:
		return "a string"
	case tokenInteger, tokenFloat:
		return "a number"
	default:
		return "'" + t.text + "'"
	}
}
