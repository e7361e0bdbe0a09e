package jinja

import "fmt"

// blockContext is what a block sees beside the template's variables: the locals of
// a scoped block's surroundings, or none.
type blockContext struct{ derived *Dict }

// executeBlock renders a block where it stands.
func (rt *renderer) executeBlock(st *blockStatement, a *activation) error {
	if st.required {
		return failf("the required block '%s' is not defined by another template", st.name)
	}
	context := &blockContext{derived: rt.derived}
	if st.scoped {
		context.derived = NewDict()
		if rt.derived != nil {
			context.derived = rt.derived.Clone()
		}
		for _, local := range st.locals {
			if v := a.get(local.variable); v != nil {
				context.derived.Set(local.name, v)
			}
		}
	}
	return rt.renderBlock(st.block, context)
}

func (rt *renderer) renderBlock(b *blockDefinition, context *blockContext) error {
	return rt.deeper(func() error {
		before := rt.derived
		rt.derived = context.derived
		defer func() { rt.derived = before }()
		a := newActivation(b.function, nil)
		if b.hasSelf {
			a.set(b.self, &templateSelf{context})
		}
		if b.hasSuper {
			a.set(b.super, &undefined{fmt.Sprintf("the block '%s' has no parent", b.name)})
		}
		rt.enterScope(b.scope, a)
		_, err := rt.run(b.body, a)
		return err
	})
}

// block is self.name: a function that renders the block, or nil.
func (t *templateSelf) block(rt *renderer, name string) Value {
	b := rt.template.program.blocks[name]
	if b == nil {
		return nil
	}
	return &functionValue{name, func(rt *renderer, args callArguments) (Value, error) {
		if _, err := args.bind(name, 0); err != nil {
			return nil, err
		}
		return rt.capture(func() error { return rt.renderBlock(b, t.context) })
	}}
}
