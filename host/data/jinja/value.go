package jinja

import (
	"math/big"
	"time"
)

// A Value is what templates compute with: None, Bool, Int, Float, String, *List,
// *Tuple and *Dict, which programs that use this package make too, and kinds that
// arise only while rendering. Values behave as the Python values of the same
// name. Only a rendering's own values change (a namespace's attributes do); what
// is given to Render may be shared between renderings.
type Value interface {
	// typeName is Python's name of the value's type.
	typeName() string
}

type (
	// None is Python's None.
	None struct{}
	// Bool is True or False; it counts as 1 or 0.
	Bool bool
	// Int is an integer. Integers beyond 64 bits are kept and written in full,
	// but not computed with.
	Int int64
	// Float is a float.
	Float float64
)

// A String is a text, counted in characters (Unicode code points) as Python does.
type String struct {
	Text string
	// safe: markup, as the filters safe and escape make it. Joined to other
	// text, that is escaped for HTML; this is so although output is not.
	safe bool
	// generations are the byte ranges of Text that generation blocks wrote.
	// They survive concatenation and output, nothing else.
	generations []Span
}

// A List is a list.
type List struct{ items []Value }

// A Tuple is a tuple. The two that groupby makes have names.
type Tuple struct {
	items []Value
	names []string
}

// NewList is a list of the given items, which it keeps.
func NewList(items ...Value) *List { return &List{items: items} }

// Items are the list's items. They must not be changed.
func (l *List) Items() []Value { return l.items }

// NewTuple is a tuple of the given items, which it keeps.
func NewTuple(items ...Value) *Tuple { return &Tuple{items: items} }

// Items are the tuple's items. They must not be changed.
func (t *Tuple) Items() []Value { return t.items }

// bigInt is an integer beyond 64 bits.
type bigInt struct{ value *big.Int }

// integer is an Int where it fits.
func integer(v *big.Int) Value {
	if v.IsInt64() {
		return Int(v.Int64())
	}
	return bigInt{v}
}

// undefined is what a missing variable, attribute or item gives: it prints as
// nothing, is false and empty, and fails with its message when it is used.
type undefined struct {
	message string
}

// rangeValue is range(start, stop, step).
type rangeValue struct {
	start, stop, step int64
	length            int
}

// iteratorValue gives its items once: what map, select and their like return.
type iteratorValue struct {
	source iterator
	name   string // Python's name of its type
}

// viewValue is keys(), values() or items() of a dict.
type viewValue struct {
	dict *Dict
	kind viewKind
}

type viewKind uint8

const (
	viewKeys viewKind = iota
	viewValues
	viewItems
)

// namespaceValue is what namespace() makes: the one value that set can change.
type namespaceValue struct{ attributes *Dict }

// functionValue is a function or method.
type functionValue struct {
	name string
	call func(rt *renderer, args callArguments) (Value, error)
}

// macroValue is a macro, or the caller() of a call block.
type macroValue struct {
	definition *macroDefinition
	outer      *activation
}

// cyclerValue is what cycler() makes.
type cyclerValue struct {
	items    []Value
	position int
}

// joinerValue is what joiner() makes.
type joinerValue struct {
	separator Value
	used      bool
}

// templateSelf is the variable "self": its attributes are the template's blocks.
type templateSelf struct{ context *blockContext }

func (None) typeName() string             { return "NoneType" }
func (Bool) typeName() string             { return "bool" }
func (Int) typeName() string              { return "int" }
func (bigInt) typeName() string           { return "int" }
func (Float) typeName() string            { return "float" }
func (*List) typeName() string            { return "list" }
func (*Tuple) typeName() string           { return "tuple" }
func (*Dict) typeName() string            { return "dict" }
func (*undefined) typeName() string       { return "Undefined" }
func (*rangeValue) typeName() string      { return "range" }
func (v *iteratorValue) typeName() string { return v.name }
func (*namespaceValue) typeName() string  { return "Namespace" }
func (*functionValue) typeName() string   { return "function" }
func (*macroValue) typeName() string      { return "Macro" }
func (*cyclerValue) typeName() string     { return "Cycler" }
func (*joinerValue) typeName() string     { return "Joiner" }
func (*loopValue) typeName() string       { return "LoopContext" }
func (*templateSelf) typeName() string    { return "TemplateReference" }

func (s String) typeName() string {
	if s.safe {
		return "Markup"
	}
	return "str"
}

func (v *viewValue) typeName() string {
	return [...]string{"dict_keys", "dict_values", "dict_items"}[v.kind]
}

// text is a plain string.
func text(s string) String { return String{Text: s} }

// like is a string that is markup if s is.
func (s String) like(text string) String { return String{Text: text, safe: s.safe} }

// fail is the error of using an undefined value.
func (u *undefined) fail() error { return &failure{kind: Runtime, text: u.message} }

// isUndefined reports whether v is undefined.
func isUndefined(v Value) bool {
	_, ok := v.(*undefined)
	return ok
}

// isNone reports whether v is None.
func isNone(v Value) bool {
	_, ok := v.(None)
	return ok
}

// asInt is v as an index or count: an integer or a bool.
func asInt(v Value) (int64, bool) {
	switch v := v.(type) {
	case Int:
		return int64(v), true
	case Bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// truth is whether v counts as true.
func truth(v Value) bool {
	switch v := v.(type) {
	case None, *undefined:
		return false
	case Bool:
		return bool(v)
	case Int:
		return v != 0
	case Float:
		return v != 0
	case String:
		return v.Text != ""
	case *List:
		return len(v.items) > 0
	case *Tuple:
		return len(v.items) > 0
	case *Dict:
		return v.Len() > 0
	case *rangeValue:
		return v.length > 0
	case *viewValue:
		return v.dict.Len() > 0
	}
	return true
}

// A Clock tells the time for strftime_now.
type Clock func() time.Time
