package jinja

import "sort"

// sortItems sorts items by the keys that a getter gives, equal ones in their order.
func (rt *renderer) sortItems(items []Value, key attributeGetter, descending bool) error {
	type keyed struct{ key, item Value }
	all := make([]keyed, len(items))
	for i, item := range items {
		k, err := key(rt, item)
		if err != nil {
			return err
		}
		all[i] = keyed{k, item}
	}
	var failed error
	sort.SliceStable(all, func(i, j int) bool {
		if failed != nil {
			return false
		}
		if descending {
			i, j = j, i
		}
		less, err := rt.compare("<", all[i].key, all[j].key)
		failed = err
		return less
	})
	for i := range all {
		items[i] = all[i].item
	}
	return failed
}

func sortFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("sort", 0, args, "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	items, err := rt.fresh(v)
	if err != nil {
		return nil, err
	}
	if bound[2] == nil {
		bound[2] = None{}
	}
	return NewList(items...), rt.sortItems(items, sortKeys(bound[2], flag(bound[1])), flag(bound[0]))
}

func dictsortFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("dictsort", 0, args, "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	part := 0
	if bound[1] != nil {
		switch by, _ := bound[1].(String); by.Text {
		case "key":
		case "value":
			part = 1
		default:
			return nil, failf("dictsort sorts by 'key' or by 'value'")
		}
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, failf("dictsort sorts a dict, not a %s", v.typeName())
	}
	items, err := rt.fresh(&viewValue{d, viewItems})
	if err != nil {
		return nil, err
	}
	key := folded(func(_ *renderer, item Value) (Value, error) { return item.(*Tuple).items[part], nil }, flag(bound[0]))
	return NewList(items...), rt.sortItems(items, key, flag(bound[2]))
}

func uniqueFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("unique", 0, args, "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	key := folded(getter(bound[1], nil), flag(bound[0]))
	seen := NewDict()
	var source iterator
	return generator("generator", func(rt *renderer) (Value, bool, error) {
		if source == nil {
			if source, err = iterate(v); err != nil {
				return nil, false, err
			}
		}
		for {
			item, ok, err := source.next(rt)
			if err != nil || !ok {
				return nil, false, err
			}
			k, err := key(rt, item)
			if err != nil {
				return nil, false, err
			}
			before := seen.Len()
			if err := seen.store(k, None{}); err != nil {
				return nil, false, err
			}
			if err := rt.growItems(1); err != nil || seen.Len() > before {
				return item, true, err
			}
		}
	}), nil
}

func groupbyFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("groupby", 1, args, "attribute", "default", "case_sensitive")
	if err != nil {
		return nil, err
	}
	get := getter(bound[0], bound[1])
	key := folded(get, flag(bound[2]))
	items, err := rt.fresh(v)
	if err != nil {
		return nil, err
	}
	if err := rt.sortItems(items, key, false); err != nil {
		return nil, err
	}
	var groups []Value
	for start := 0; start < len(items); {
		first, err := key(rt, items[start])
		if err != nil {
			return nil, err
		}
		end := start + 1
		for ; end < len(items); end++ {
			next, err := key(rt, items[end])
			if err != nil {
				return nil, err
			}
			if same, err := rt.equal(first, next); err != nil || !same {
				if err != nil {
					return nil, err
				}
				break
			}
		}
		name, err := get(rt, items[start])
		if err != nil {
			return nil, err
		}
		groups = append(groups, &Tuple{
			items: []Value{name, NewList(items[start:end:end]...)},
			names: []string{"grouper", "list"},
		})
		start = end
	}
	return NewList(groups...), rt.growItems(2 * len(groups))
}

// extreme is min and max: the first item that no other stands before.
func extreme(name, operator string) filter {
	return func(rt *renderer, v Value, args callArguments) (Value, error) {
		bound, err := given(name, 0, args, "case_sensitive", "attribute")
		if err != nil {
			return nil, err
		}
		key := folded(getter(bound[1], nil), flag(bound[0]))
		it, err := iterate(v)
		if err != nil {
			return nil, err
		}
		var best, bestKey Value
		for {
			item, ok, err := it.next(rt)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			k, err := key(rt, item)
			if err != nil {
				return nil, err
			}
			better := best == nil
			if !better {
				if better, err = rt.compare(operator, k, bestKey); err != nil {
					return nil, err
				}
			}
			if better {
				best, bestKey = item, k
			}
		}
		if best == nil {
			return &undefined{"there is no " + name + ": the sequence is empty"}, nil
		}
		return best, nil
	}
}
