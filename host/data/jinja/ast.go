package jinja

// The syntax tree. Nodes carry the line they begin on; names carry the variable
// they mean once resolve.go has been over them.

// expression is a node with a value.
type expression interface{ at() int }

// line is embedded in every node.
type line int

func (l line) at() int { return int(l) }

type (
	// constantExpression is a literal.
	constantExpression struct {
		line
		value Value
	}
	// nameExpression reads a variable.
	nameExpression struct {
		line
		name     string
		variable reference
	}
	// listExpression is [a, b]; tupleExpression is (a, b) or a, b.
	listExpression struct {
		line
		items []expression
	}
	tupleExpression struct {
		line
		items []expression
	}
	// dictExpression is {k: v}.
	dictExpression struct {
		line
		keys, values []expression
	}
	// unaryExpression is "-", "+" or "not".
	unaryExpression struct {
		line
		operator string
		operand  expression
	}
	// binaryExpression is a chain of operators of one level, evaluated from the
	// left: first operators[0] rest[0] operators[1] rest[1] …
	binaryExpression struct {
		line
		first     expression
		operators []string
		rest      []expression
	}
	// logicalExpression is a chain of "and", or of "or".
	logicalExpression struct {
		line
		or       bool
		operands []expression
	}
	// compareExpression is a chain of comparisons as Python reads it:
	// a < b < c is a < b and b < c.
	compareExpression struct {
		line
		first     expression
		operators []string
		rest      []expression
	}
	// concatExpression is a ~ b.
	concatExpression struct {
		line
		items []expression
	}
	// conditionalExpression is a if test else b; otherwise may be nil.
	conditionalExpression struct {
		line
		test, then, otherwise expression
	}
	// attributeExpression is x.name.
	attributeExpression struct {
		line
		object expression
		name   string
	}
	// itemExpression is x[key].
	itemExpression struct {
		line
		object, key expression
	}
	// sliceExpression is the a:b:c between brackets; any may be nil.
	sliceExpression struct {
		line
		start, stop, step expression
	}
	// callExpression calls a value.
	callExpression struct {
		line
		function expression
		arguments
	}
	// filterExpression is x | name(…); input is nil in filter blocks.
	filterExpression struct {
		line
		input expression
		name  string
		arguments
		filter filter // nil when no filter has the name
	}
	// testExpression is x is name(…).
	testExpression struct {
		line
		input expression
		name  string
		arguments
		test test // nil when no test has the name
	}
)

// arguments are those of a call, filter or test.
type arguments struct {
	positional []expression
	names      []string
	named      []expression
	star       expression // *args, or nil
	starStar   expression // **kwargs, or nil
}

// statement is a node that is executed.
type statement interface{ at() int }

type (
	// textStatement is text between tags.
	textStatement struct {
		line
		text string
	}
	// printStatement is {{ value }}.
	printStatement struct {
		line
		value expression
	}
	// ifStatement holds the tests in turn: if, elif, …
	ifStatement struct {
		line
		tests     []expression
		bodies    [][]statement
		otherwise []statement
	}
	// forStatement is a loop; test is its "if", or nil.
	forStatement struct {
		line
		target     *target
		testTarget *target // the target again, as the test's function sees it
		iterable   expression
		test       expression
		body       []statement
		otherwise  []statement
		recursive  bool

		loop          reference // the variable "loop"
		bodyScope     scopeEntry
		testScope     scopeEntry
		elseScope     scopeEntry
		testFunction  *function // set when there is a test
		recurFunction *function // set when recursive
	}
	// setStatement is {% set target = value %}.
	setStatement struct {
		line
		target   *target
		value    expression
		exported []exportedName
	}
	// setBlockStatement is {% set target %}body{% endset %}.
	setBlockStatement struct {
		line
		target   *target
		filters  *filterExpression // outermost; its innermost input is nil
		body     []statement
		scope    scopeEntry
		exported []exportedName
	}
	// withStatement is {% with a = 1 %}.
	withStatement struct {
		line
		targets []*target
		values  []expression
		body    []statement
		scope   scopeEntry
	}
	// macroStatement defines a macro.
	macroStatement struct {
		line
		name     string
		variable reference
		macro    *macroDefinition
		exported []exportedName
	}
	// callStatement is {% call(args) macro(…) %}body{% endcall %}.
	callStatement struct {
		line
		call  *callExpression
		macro *macroDefinition
	}
	// generationStatement is {% generation %}body{% endgeneration %}.
	generationStatement struct {
		line
		macro *macroDefinition
	}
	// filterStatement is {% filter name %}body{% endfilter %}.
	filterStatement struct {
		line
		filters *filterExpression
		body    []statement
		scope   scopeEntry
	}
	// autoescapeStatement is {% autoescape on %}body{% endautoescape %}.
	autoescapeStatement struct {
		line
		on    expression
		body  []statement
		scope scopeEntry
	}
	// blockStatement is {% block name %}, which stands alone here.
	blockStatement struct {
		line
		name     string
		scoped   bool
		required bool
		block    *blockDefinition
		locals   []exportedName // scoped: what the block sees of its surroundings
	}
	// loopControlStatement is break or continue.
	loopControlStatement struct {
		line
		signal signal
	}
	// refusedStatement is include, import or extends: an error when reached.
	refusedStatement struct {
		line
		tag string
		// names are what an import would have bound.
		names       []string
		expressions []expression
	}
)

// A macroDefinition is the body and parameters of a macro, a call block or a
// generation block.
type macroDefinition struct {
	line
	name       string // "" for blocks
	parameters []string
	defaults   []expression // of the last parameters
	body       []statement

	function  *function
	scope     scopeEntry
	variables []reference // of the parameters
	// caller, kwargs and varargs are the variables of those names where the
	// body reads them without defining them.
	caller, kwargs, varargs    reference
	hasCaller                  bool
	catchesKwargs, catchesArgs bool
}

// A blockDefinition is the body of a {% block %}.
type blockDefinition struct {
	name     string
	body     []statement
	function *function
	scope    scopeEntry
	self     reference // where the body reads "self"
	super    reference // where the body reads "super"
	hasSelf  bool
	hasSuper bool
}

// A target is what can be assigned to: a name, an attribute of a namespace, or a
// tuple of targets.
type target struct {
	line
	name      string // name, or the namespace's
	attribute string // of a namespace, or ""
	items     []*target
	tuple     bool
	variable  reference
}

// clone is the target without what resolving found.
func (t *target) clone() *target {
	out := &target{line: t.line, name: t.name, attribute: t.attribute, tuple: t.tuple}
	for _, item := range t.items {
		out.items = append(out.items, item.clone())
	}
	return out
}

// names calls visit for every plain name that the target assigns.
func (t *target) names(visit func(*target)) {
	if t.tuple {
		for _, item := range t.items {
			item.names(visit)
		}
		return
	}
	if t.attribute == "" {
		visit(t)
	}
}

// exportedName is a variable of the template's top level, which blocks see.
type exportedName struct {
	name     string
	variable reference
}

// A reference is where a variable is kept: hops function activations outwards,
// in the given slot.
type reference struct {
	hops, slot int
}
