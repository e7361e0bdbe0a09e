package evaluate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// A Function is one that run files can call.
type Function struct {
	Name  string
	Usage string // the call as documentation shows it
	Doc   string // one sentence

	impl function.Function
}

// Functions are all functions, sorted by name, for documentation.
func Functions() []Function {
	all := (&Evaluator{}).table()
	slices.SortFunc(all, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// table is every function, bound to the evaluator where it reads files or the
// environment. There is no clock and no source of chance among them: a run file
// means the same every time.
func (e *Evaluator) table() []Function {
	return slices.Concat(numberFunctions(), textFunctions(), collectionFunctions(), conversionFunctions(), e.outsideFunctions())
}

// unifies reports whether a function gives its arguments, or their elements, one
// common type.
func unifies(name string) bool {
	switch name {
	case "coalesce", "concat", "tolist", "tomap", "toset":
		return true
	}
	return false
}

func collectionFunctions() []Function {
	return []Function{
		{"coalesce", "coalesce(values...)", "The first value that is not null.", stdlib.CoalesceFunc},
		{"compact", "compact(list)", "The list without empty strings.", stdlib.CompactFunc},
		{"concat", "concat(lists...)", "The lists, one after the other.", stdlib.ConcatFunc},
		{"contains", "contains(list, value)", "Whether the list has the value.", stdlib.ContainsFunc},
		{"element", "element(list, index)", "The element at the index, counted on from the start again past the end.", stdlib.ElementFunc},
		{"flatten", "flatten(list)", "The elements of a list's lists, all in one.", stdlib.FlattenFunc},
		{"keys", "keys(map)", "The map's keys, sorted.", stdlib.KeysFunc},
		{"length", "length(value)", "The number of a list's or map's elements, or of a string's characters.", lengthFunction()},
		{"lookup", "lookup(map, key, default)", "The map's element, or the default where it has none.", stdlib.LookupFunc},
		{"merge", "merge(maps...)", "The maps in one; later ones win.", stdlib.MergeFunc},
		{"range", "range(start, limit, step)", "Numbers from start up to the limit, which is not among them; at most 1024.", stdlib.RangeFunc},
		{"reverse", "reverse(list)", "The list, last element first.", stdlib.ReverseListFunc},
		{"slice", "slice(list, start, end)", "The elements from start up to end, which is not among them.", stdlib.SliceFunc},
		{"sort", "sort(strings)", "The strings in order of their characters.", stdlib.SortFunc},
		{"values", "values(map)", "The map's values, in the order of its keys.", stdlib.ValuesFunc},
		{"zipmap", "zipmap(keys, values)", "A map from two lists.", stdlib.ZipmapFunc},
	}
}

func conversionFunctions() []Function {
	return []Function{
		{"can", "can(expression)", "Whether the expression can be evaluated without an error.", tryfunc.CanFunc},
		{"jsondecode", "jsondecode(text)", "The value that a JSON text stands for.", stdlib.JSONDecodeFunc},
		{"jsonencode", "jsonencode(value)", "The value as JSON.", stdlib.JSONEncodeFunc},
		{"sensitive", "sensitive(value)", "The value as a sensitive one, for a plugin's block.", sensitiveFunction()},
		{"tobool", "tobool(value)", "The value as true or false.", stdlib.MakeToFunc(cty.Bool)},
		{"tolist", "tolist(value)", "The value as a list.", stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType))},
		{"tomap", "tomap(value)", "The value as a map.", stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType))},
		{"tonumber", "tonumber(value)", "The value as a number.", stdlib.MakeToFunc(cty.Number)},
		{"toset", "toset(value)", "The value as a set: without order, each element once.", stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))},
		{"tostring", "tostring(value)", "The value as a string.", stdlib.MakeToFunc(cty.String)},
		{"try", "try(expressions...)", "The first expression that can be evaluated without an error.", tryfunc.TryFunc},
	}
}

// lengthFunction counts elements and characters.
func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowMarked: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t.IsCollectionType() || t.IsTupleType() || t.IsObjectType() {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a %s has no length", t.FriendlyName())
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, marks := args[0].Unmark()
			if v.Type() == cty.String {
				n, err := stdlib.Strlen(v)
				if err != nil {
					return cty.NilVal, err
				}
				return n.WithMarks(marks), nil
			}
			return cty.NumberIntVal(int64(v.LengthInt())).WithMarks(marks), nil
		},
	})
}

// sensitiveFunction marks what it is given.
func sensitiveFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0].Mark(Secret{}), nil },
	})
}

// guard has a function check its arguments first.
func guard(f function.Function, check func(args []cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Params: f.Params(), VarParam: f.VarParam(), Type: f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if err := check(args); err != nil {
				return cty.NilVal, err
			}
			return f.Call(args)
		},
	})
}

func tooLong(bytes int) error {
	return fmt.Errorf("the result would have %d bytes; at most %d are possible", bytes, MaxStringBytes)
}
