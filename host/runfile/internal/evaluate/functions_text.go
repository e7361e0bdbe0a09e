package evaluate

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func textFunctions() []Function {
	return []Function{
		{"endswith", "endswith(text, suffix)", "Whether the text ends with the suffix.", textTest(strings.HasSuffix)},
		{"format", "format(format, values...)", "Text by a format such as \"%s-r%02d\".", guard(stdlib.FormatFunc, checkFormat)},
		{"join", "join(separator, list)", "The list's strings in one, with separators between them.", guard(stdlib.JoinFunc, checkJoin)},
		{"lower", "lower(text)", "The text in small letters.", stdlib.LowerFunc},
		{"regex", "regex(pattern, text)", "What a regular expression (RE2) matches; an error where it matches nothing.", guard(stdlib.RegexFunc, checkRegex)},
		{"replace", "replace(text, old, new)", "The text with each old replaced by new.", guard(stdlib.ReplaceFunc, checkReplace)},
		{"split", "split(separator, text)", "The text's parts between separators.", guard(stdlib.SplitFunc, checkSplit)},
		{"startswith", "startswith(text, prefix)", "Whether the text begins with the prefix.", textTest(strings.HasPrefix)},
		{"substr", "substr(text, offset, length)", "Characters from an offset on; a length of -1 means all.", stdlib.SubstrFunc},
		{"trim", "trim(text, characters)", "The text without these characters at its ends.", stdlib.TrimFunc},
		{"trimprefix", "trimprefix(text, prefix)", "The text without the prefix, if it has it.", stdlib.TrimPrefixFunc},
		{"trimspace", "trimspace(text)", "The text without white space at its ends.", stdlib.TrimSpaceFunc},
		{"trimsuffix", "trimsuffix(text, suffix)", "The text without the suffix, if it has it.", stdlib.TrimSuffixFunc},
		{"upper", "upper(text)", "The text in capital letters.", stdlib.UpperFunc},
	}
}

func textTest(test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// wideFormat finds widths, precisions and argument numbers of four digits.
var wideFormat = regexp.MustCompile(`%[^%a-zA-Z]*[0-9]{4}`)

func checkFormat(args []cty.Value) error {
	text := args[0].AsString()
	if wideFormat.MatchString(text) {
		return fmt.Errorf("widths and precisions may have three digits")
	}
	if n := strings.Count(text, "%") * 1000; n > MaxStringBytes {
		return tooLong(n)
	}
	for _, arg := range args[1:] {
		if arg.Type() == cty.String && arg.IsKnown() && !arg.IsNull() && costlyNumber(arg.AsString()) {
			return fmt.Errorf("a string stands for a number out of range")
		}
	}
	return nil
}

func checkJoin(args []cty.Value) error {
	separator := len(args[0].AsString())
	total := 0
	for _, list := range args[1:] {
		if !list.IsKnown() || list.IsNull() {
			continue
		}
		for it := list.ElementIterator(); it.Next(); {
			_, s := it.Element()
			total += separator
			if s.IsKnown() && !s.IsNull() {
				total += len(s.AsString())
			}
			if total > MaxStringBytes {
				return tooLong(total)
			}
		}
	}
	return nil
}

func checkReplace(args []cty.Value) error {
	text, old, replacement := args[0].AsString(), args[1].AsString(), args[2].AsString()
	if n := len(text) + strings.Count(text, old)*len(replacement); n > MaxStringBytes {
		return tooLong(n)
	}
	return nil
}

func checkSplit(args []cty.Value) error {
	separator, text := args[0].AsString(), args[1].AsString()
	if n := strings.Count(text, separator); n > MaxElements {
		return fmt.Errorf("the result would have %d elements; at most %d are possible", n, MaxElements)
	}
	return nil
}

// checkRegex bounds the product of pattern and text, by which RE2's time goes.
func checkRegex(args []cty.Value) error {
	const maxPattern, maxWork = 1000, 1 << 22
	pattern, text := args[0].AsString(), args[1].AsString()
	if len(pattern) > maxPattern {
		return fmt.Errorf("a pattern may have %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	if len(program.Inst)*(len(text)+1) > maxWork {
		return fmt.Errorf("the pattern is too large for so long a text")
	}
	return nil
}
