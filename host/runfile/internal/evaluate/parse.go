package evaluate

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// MaxSourceBytes is the most that a run file, or a file of variables, may have.
const MaxSourceBytes = 256 << 10

// Bounds of a source, far above what anyone writes. They bound the recursion of
// HCL's parser and evaluator.
const (
	maxDepth     = 100  // brackets, quotes and templates within each other
	maxOperators = 4000 // operators, each of which can nest the one before it
	maxSteps     = 20000
	maxControls  = 500 // %{ if } and %{ for }, which nest without brackets
	maxLines     = 10000
)

// Parse parses a file of blocks and attributes. The file is returned, for its
// source, also where there are errors; its body may then be nil.
func Parse(filename string, src []byte) (*hcl.File, *hclsyntax.Body, hcl.Diagnostics) {
	file := &hcl.File{Bytes: src}
	if diags := checkSource(filename, src, false); diags.HasErrors() {
		return file, nil, diags
	}
	parsed, diags := guardParse(filename, func() (*hcl.File, hcl.Diagnostics) {
		return hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	})
	diags = slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool { // one forgotten quote troubles all lines after it
		return a.Summary == b.Summary && a.Detail == b.Detail
	})
	diags = diags[:min(len(diags), maxErrors)]
	if parsed == nil {
		return file, nil, diags
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok || diags.HasErrors() {
		return parsed, nil, diags
	}
	return parsed, body, append(diags, checkNumbers(body)...)
}

// ParseExpression parses a single expression, such as the value of a variable on
// the command line.
func ParseExpression(filename string, src []byte) (hclsyntax.Expression, hcl.Diagnostics) {
	if diags := checkSource(filename, src, true); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := guardParse(filename, func() (hclsyntax.Expression, hcl.Diagnostics) {
		return hclsyntax.ParseExpression(src, filename, hcl.InitialPos)
	})
	if diags.HasErrors() {
		return nil, diags
	}
	diags = append(diags, checkNumbers(expr)...)
	return expr, diags
}

// guardParse turns a panic of the parser into a diagnostic.
func guardParse[T any](filename string, parse func() (T, hcl.Diagnostics)) (result T, diags hcl.Diagnostics) {
	defer func() {
		if r := recover(); r != nil {
			var none T
			result, diags = none, hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Unreadable source",
				Detail:   fmt.Sprintf("The parser gave up on this file: %v.", r),
				Subject:  &hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos},
			}}
		}
	}()
	return parse()
}

// checkSource refuses what the parser should not see.
func checkSource(filename string, src []byte, expression bool) hcl.Diagnostics {
	start := hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}
	if len(src) > MaxSourceBytes {
		return refuse(start, "File too large", fmt.Sprintf(
			"It has %d bytes; at most %d are read. Long texts and data belong in files of their own.", len(src), MaxSourceBytes))
	}
	if n := bytes.Count(src, []byte("\n")); n > maxLines {
		return refuse(start, "File too large", fmt.Sprintf(
			"It has %d lines; at most %d are read. Long texts and data belong in files of their own.", n, maxLines))
	}
	if !utf8.Valid(src) {
		return refuse(start, "Not a text file", "The file is not UTF-8.")
	}
	lex := hclsyntax.LexConfig
	if expression {
		lex = hclsyntax.LexExpression
	}
	tokens, _ := guardParse(filename, func() (hclsyntax.Tokens, hcl.Diagnostics) {
		return lex(src, filename, hcl.InitialPos) // the parser reports what is wrong with tokens
	})
	return checkNesting(tokens)
}

// checkNesting bounds how deep the tree of the tokens can become.
func checkNesting(tokens hclsyntax.Tokens) hcl.Diagnostics {
	var depth, operators, steps, controls int
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenTemplateControl:
			controls++
			depth++
		case hclsyntax.TokenOBrack:
			steps++
			depth++
		case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenDot:
			steps++
		case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus,
			hclsyntax.TokenPercent, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan,
			hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd,
			hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenQuestion:
			operators++
		}
		switch {
		case depth > maxDepth:
			return refuse(t.Range, "Nested too deep", fmt.Sprintf("Brackets, quotes and templates may nest %d deep.", maxDepth))
		case operators > maxOperators || steps > maxSteps || controls > maxControls:
			return refuse(t.Range, "Too many operators", fmt.Sprintf(
				"A file may hold %d operators, %d references and %d template directives.", maxOperators, maxSteps, maxControls))
		}
	}
	return nil
}

// checkNumbers refuses literal numbers that no float64 holds: printing or
// converting 1e600000000 takes gigabytes.
func checkNumbers(node hclsyntax.Node) hcl.Diagnostics {
	var diags hcl.Diagnostics
	check := func(v cty.Value, r hcl.Range) {
		if v.Type() == cty.Number && v.IsKnown() && !v.IsNull() && !inRange(v.AsBigFloat()) {
			diags = append(diags, refuse(r, "Number out of range", numberRange)...)
		}
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && costlyNumber(v.AsString()) {
			diags = append(diags, refuse(r, "Index out of range", "No list or map has this element.")...)
		}
	}
	traversal := func(steps hcl.Traversal) {
		for _, step := range steps {
			if index, ok := step.(hcl.TraverseIndex); ok {
				check(index.Key, index.SrcRange)
			}
		}
	}
	diags = append(diags, hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.LiteralValueExpr:
			if n.Val.Type() == cty.Number {
				check(n.Val, n.SrcRange)
			}
		case *hclsyntax.ScopeTraversalExpr:
			traversal(n.Traversal)
		case *hclsyntax.RelativeTraversalExpr:
			traversal(n.Traversal)
		}
		return nil
	})...)
	return diags
}

const numberRange = "Numbers lie between 1e-308 and 1e308, or are 0."

// outOfRange says what is wrong with a number that no float64 holds.
func outOfRange(f *big.Float) (problem string) {
	switch {
	case f.IsInf():
		return "This number is infinite: something was divided by zero."
	case !inRange(f):
		return "This number is out of range. " + numberRange
	}
	return ""
}

// inRange reports whether f is 0 or about the size of a normal float64.
func inRange(f *big.Float) bool {
	if f.IsInf() {
		return false
	}
	exponent := f.MantExp(nil)
	return f.Sign() == 0 || exponent > -1022 && exponent <= 1024
}

// costlyNumber reports whether a string stands for a number that takes long to
// read, or that later computations take long with.
func costlyNumber(s string) bool {
	const maxDigits, maxExponent = 4096, 1 << 17
	if s == "" || strings.Trim(s, "+-.0123456789eEpP") != "" {
		return false
	}
	if len(s) > maxDigits {
		return true
	}
	v, err := cty.ParseNumberVal(s)
	if err != nil {
		return false
	}
	exponent := v.AsBigFloat().MantExp(nil)
	return exponent > maxExponent || exponent < -maxExponent
}

func refuse(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}
