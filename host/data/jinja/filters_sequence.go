package jinja

// lookupSequenceFilter are the filters of lists, dicts and what can be gone
// through.
func lookupSequenceFilter(name string) filter {
	switch name {
	case "length", "count":
		return lengthFilter
	case "first":
		return firstFilter
	case "last":
		return lastFilter
	case "list":
		return listFilter
	case "items":
		return itemsFilter
	case "reverse":
		return reverseFilter
	case "sort":
		return sortFilter
	case "dictsort":
		return dictsortFilter
	case "unique":
		return uniqueFilter
	case "groupby":
		return groupbyFilter
	case "min":
		return extreme(name, "<")
	case "max":
		return extreme(name, ">")
	case "sum":
		return sumFilter
	case "batch":
		return batchFilter
	case "slice":
		return sliceFilter
	case "default", "d":
		return defaultFilter
	case "tojson":
		return tojsonFilter
	}
	return nil
}

func lengthFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("length", 0, args); err != nil {
		return nil, err
	}
	n, err := rt.length(v)
	return Int(n), err
}

func firstFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("first", 0, args); err != nil {
		return nil, err
	}
	it, err := iterate(v)
	if err != nil {
		return nil, err
	}
	item, ok, err := it.next(rt)
	if err == nil && !ok {
		return &undefined{"there is no first item: the sequence is empty"}, nil
	}
	return item, err
}

// reversed are the items of v from the last; only what keeps its items has them.
func (rt *renderer) reversed(v Value) ([]Value, error) {
	switch v.(type) {
	case *List, *Tuple, String, *Dict, *viewValue, *rangeValue, *undefined:
	default:
		return nil, failf("a %s cannot be gone through backwards: make a list of it first", v.typeName())
	}
	items, err := rt.fresh(v)
	for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
		items[i], items[j] = items[j], items[i]
	}
	return items, err
}

func lastFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("last", 0, args); err != nil {
		return nil, err
	}
	items, err := rt.reversed(v)
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		return &undefined{"there is no last item: the sequence is empty"}, nil
	}
	return items[0], nil
}

func listFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("list", 0, args); err != nil {
		return nil, err
	}
	items, err := rt.fresh(v)
	return NewList(items...), err
}

func itemsFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("items", 0, args); err != nil {
		return nil, err
	}
	var source iterator
	return generator("generator", func(rt *renderer) (Value, bool, error) {
		if source == nil {
			switch v := v.(type) {
			case *undefined:
				source = &sliceIterator{}
			case *Dict:
				source = entriesOf(v, viewItems)
			default:
				return nil, false, failf("only a dict has items, not a %s", v.typeName())
			}
		}
		return source.next(rt)
	}), nil
}

func reverseFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("reverse", 0, args); err != nil {
		return nil, err
	}
	if s, ok := v.(String); ok {
		runes := []rune(s.Text)
		for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
			runes[i], runes[j] = runes[j], runes[i]
		}
		return s.like(string(runes)), rt.grow(4 * len(runes))
	}
	if it, ok := v.(*iteratorValue); ok {
		items, err := rt.drain(it.source)
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		return NewList(items...), err
	}
	items, err := rt.reversed(v)
	return &iteratorValue{source: &sliceIterator{items: items}, name: "list_reverseiterator"}, err
}

func sumFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("sum", 0, args, "attribute", "start")
	if err != nil {
		return nil, err
	}
	total := bound[1]
	if total == nil {
		total = Int(0)
	}
	if _, ok := total.(String); ok {
		return nil, failf("sum cannot add strings: use join")
	}
	get := getter(bound[0], nil)
	it, err := iterate(v)
	if err != nil {
		return nil, err
	}
	for {
		item, ok, err := it.next(rt)
		if err != nil || !ok {
			return total, err
		}
		if item, err = get(rt, item); err != nil {
			return nil, err
		}
		if total, err = rt.binary("+", total, item); err != nil {
			return nil, err
		}
	}
}

func defaultFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("default", 0, args, "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	if !isUndefined(v) && (truth(v) || !flag(bound[1])) {
		return v, nil
	}
	if bound[0] == nil {
		return text(""), nil
	}
	return bound[0], nil
}
