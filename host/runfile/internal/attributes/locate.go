package attributes

import (
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

// Locate is where the value at a path stands in a block: an attribute's name,
// then keys and decimal indices. It goes as deep as the source shows: into lists
// and maps that are written out, not into what an expression computes. A path
// that leads nowhere is the block's first line.
func Locate(block *hclsyntax.Block, path []string) hcl.Range {
	if len(path) == 0 {
		return block.DefRange()
	}
	a, ok := block.Body.Attributes[path[0]]
	if !ok {
		return block.DefRange()
	}
	x := evaluate.Unwrap(a.Expr)
	for _, key := range path[1:] {
		x = child(x, key)
	}
	return x.Range()
}

// child is the element of a list or map as it is written, or x itself where that
// cannot be seen.
func child(x hclsyntax.Expression, key string) hclsyntax.Expression {
	x = evaluate.Unwrap(x)
	switch list := x.(type) {
	case *hclsyntax.ParenthesesExpr:
		return child(list.Expression, key)
	case *hclsyntax.TupleConsExpr:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(list.Exprs) {
			return evaluate.Unwrap(list.Exprs[i])
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range slices.Backward(list.Items) { // of equal keys the last one counts
			if k, ok := literal(item.KeyExpr); ok && k == key {
				return evaluate.Unwrap(item.ValueExpr)
			}
		}
	}
	return x
}

// literal is a map's key, where it is a name or a plain string.
func literal(key hclsyntax.Expression) (string, bool) {
	k, ok := key.(*hclsyntax.ObjectConsKeyExpr)
	if !ok {
		return "", false
	}
	if !k.ForceNonLiteral {
		if name := hcl.ExprAsKeyword(k.Wrapped); name != "" {
			return name, true
		}
	}
	return evaluate.Literal(k.Wrapped)
}
