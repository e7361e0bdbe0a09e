// Package evaluate parses HCL and evaluates its expressions within bounds.
//
// HCL's own evaluator trusts its input: a few lines with nested for expressions,
// a format width, or the number 1e600000000 keep it busy for hours or take all
// memory. A run file may come from anyone, so here
//
//   - [Parse] and [ParseExpression] refuse sources that are too large or nest too
//     deep before the parser recurses into them, and numbers beyond a float64;
//   - an [Evaluator] has a budget. Each node of an expression pays for being
//     evaluated and for the size of its value; when the budget is used up,
//     evaluation ends with one diagnostic at the place where it ended;
//   - functions that could multiply their input check their result's size first.
//
// The evaluator also keeps secrets secret: values of env() and of sensitive
// variables carry a [Secret] mark, which HCL hands on to whatever is computed from
// them, and no diagnostic repeats a marked value.
//
// What the attributes of a run file mean is not this package's business.
package evaluate
