package jinja

// loopValue is the variable "loop". It looks one item ahead only when asked what
// comes next, since the loop's "if" may depend on what the body does.
type loopValue struct {
	source   iterator
	size     int // when known is true
	known    bool
	index0   int
	ahead    Value // the item looked at already, or nil
	previous Value
	current  Value
	changed  Value // what changed() was last called with, or nil
	depth0   int
	recur    recursion // nil unless recursive
}

// recursion renders the body of a recursive loop for inner items.
type recursion func(rt *renderer, iterable Value, depth0 int) (String, error)

// advance goes to the next item.
func (l *loopValue) advance(rt *renderer) (Value, bool, error) {
	v := l.ahead
	l.ahead = nil
	if v == nil {
		var ok bool
		var err error
		if v, ok, err = l.source.next(rt); err != nil || !ok {
			return nil, false, err
		}
	}
	l.index0++
	l.previous, l.current = l.current, v
	return v, true, nil
}

// peek is the next item, or nil after the last.
func (l *loopValue) peek(rt *renderer) (Value, error) {
	if l.ahead == nil {
		v, ok, err := l.source.next(rt)
		if err != nil || !ok {
			return nil, err
		}
		l.ahead = v
	}
	return l.ahead, nil
}

// length is the number of items; where it is not known all that are left are
// fetched.
func (l *loopValue) length(rt *renderer) (int, error) {
	if l.known {
		return l.size, nil
	}
	rest, err := rt.drain(l.source)
	if err != nil {
		return 0, err
	}
	l.source = &sliceIterator{items: rest}
	l.size = len(rest) + l.index0 + 1
	if l.ahead != nil {
		l.size++
	}
	l.known = true
	return l.size, nil
}

// attribute is loop.name, or nil.
func (l *loopValue) attribute(rt *renderer, name string) (Value, error) {
	switch name {
	case "index":
		return Int(l.index0 + 1), nil
	case "index0":
		return Int(l.index0), nil
	case "first":
		return Bool(l.index0 == 0), nil
	case "last":
		next, err := l.peek(rt)
		return Bool(next == nil), err
	case "length":
		n, err := l.length(rt)
		return Int(n), err
	case "revindex":
		n, err := l.length(rt)
		return Int(n - l.index0), err
	case "revindex0":
		n, err := l.length(rt)
		return Int(n - l.index0 - 1), err
	case "depth":
		return Int(l.depth0 + 1), nil
	case "depth0":
		return Int(l.depth0), nil
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"there is no previous item"}, nil
		}
		return l.previous, nil
	case "nextitem":
		next, err := l.peek(rt)
		if next == nil {
			return &undefined{"there is no next item"}, err
		}
		return next, err
	case "cycle":
		return &functionValue{"cycle", l.cycle}, nil
	case "changed":
		return &functionValue{"changed", l.hasChanged}, nil
	}
	return nil, nil
}

func (l *loopValue) cycle(_ *renderer, args callArguments) (Value, error) {
	if err := args.noNames("cycle"); err != nil {
		return nil, err
	}
	if len(args.positional) == 0 {
		return nil, failf("loop.cycle needs at least one value")
	}
	return args.positional[l.index0%len(args.positional)], nil
}

func (l *loopValue) hasChanged(rt *renderer, args callArguments) (Value, error) {
	if err := args.noNames("changed"); err != nil {
		return nil, err
	}
	now := NewTuple(args.positional...)
	if l.changed != nil {
		same, err := rt.equal(l.changed, now)
		if err != nil || same {
			return Bool(false), err
		}
	}
	l.changed = now
	return Bool(true), nil
}

// call renders a recursive loop's body for inner items.
func (l *loopValue) call(rt *renderer, args callArguments) (Value, error) {
	v, err := args.bind("loop", 1, "iterable")
	if err != nil {
		return nil, err
	}
	if l.recur == nil {
		return nil, failf("only a loop marked 'recursive' can be called")
	}
	return l.recur(rt, v[0], l.depth0+1)
}

func (rt *renderer) executeFor(st *forStatement, a *activation) (signal, error) {
	iterable, err := rt.evaluate(st.iterable, a)
	if err != nil {
		return signalNone, err
	}
	if !st.recursive {
		return rt.loop(st, iterable, a, a, &loopValue{})
	}
	var recur recursion
	recur = func(rt *renderer, iterable Value, depth0 int) (String, error) {
		return rt.capture(func() error {
			return rt.deeper(func() error {
				_, err := rt.loop(st, iterable, newActivation(st.recurFunction, a), a, &loopValue{depth0: depth0, recur: recur})
				return err
			})
		})
	}
	s, err := recur(rt, iterable, 0)
	if err != nil {
		return signalNone, err
	}
	return signalNone, rt.write(s)
}

// loop runs a loop over iterable with the variables of a; the loop's "if" is a
// function inside testOuter. A signal comes from its else: it is for the loop
// around it.
func (rt *renderer) loop(st *forStatement, iterable Value, a, testOuter *activation, l *loopValue) (signal, error) {
	var err error
	if l.source, err = iterate(iterable); err != nil {
		return signalNone, err
	}
	if st.test != nil {
		l.source = rt.filtered(st, l.source, newActivation(st.testFunction, testOuter))
	} else {
		l.size, l.known = sizeOf(iterable)
	}
	completed, err := rt.turns(st, a, l)
	if err != nil {
		return signalNone, err
	}
	st.bodyScope.leave(a)
	if completed || st.otherwise == nil {
		return signalNone, nil
	}
	rt.enterScope(st.elseScope, a)
	end, err := rt.run(st.otherwise, a)
	st.elseScope.leave(a)
	return end, err
}

// turns runs the body for every item, and reports whether any turn was completed:
// in Jinja a loop's else runs unless one was, also after a break or continue.
func (rt *renderer) turns(st *forStatement, a *activation, l *loopValue) (bool, error) {
	l.index0 = -1
	completed := false
	for {
		if err := rt.step(1); err != nil {
			return false, err
		}
		item, ok, err := l.advance(rt)
		if err != nil || !ok {
			return completed, err
		}
		if err := rt.assign(st.target, item, a); err != nil {
			return false, err
		}
		a.set(st.loop, l)
		rt.enterScope(st.bodyScope, a)
		end, err := rt.run(st.body, a)
		if err != nil || end == signalBreak {
			return completed, err
		}
		completed = completed || end == signalNone
	}
}

// sizeOf is the length of a value that keeps it.
func sizeOf(v Value) (int, bool) {
	switch v := v.(type) {
	case *List:
		return len(v.items), true
	case *Tuple:
		return len(v.items), true
	case *Dict:
		return v.Len(), true
	case *viewValue:
		return v.dict.Len(), true
	case *rangeValue:
		return v.length, true
	}
	return 0, false
}

// filtered are the items that the loop's "if" lets pass.
func (rt *renderer) filtered(st *forStatement, source iterator, a *activation) iterator {
	rt.enterScope(st.testScope, a)
	return iteratorFunc(func(rt *renderer) (Value, bool, error) {
		for {
			item, ok, err := source.next(rt)
			if err != nil || !ok {
				return nil, false, err
			}
			if err := rt.assign(st.testTarget, item, a); err != nil {
				return nil, false, err
			}
			pass, err := rt.evaluate(st.test, a)
			if err != nil {
				return nil, false, err
			}
			if !truth(pass) {
				continue
			}
			if st.testTarget.tuple {
				return rt.retake(st.testTarget, a), true, nil
			}
			return item, true, nil
		}
	})
}

// retake is the value of a target: what a loop with an "if" hands its body.
func (rt *renderer) retake(t *target, a *activation) Value {
	if !t.tuple {
		return a.get(t.variable)
	}
	items := make([]Value, len(t.items))
	for i, item := range t.items {
		items[i] = rt.retake(item, a)
	}
	return NewTuple(items...)
}
