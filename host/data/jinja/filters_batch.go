package jinja

func batchFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("batch", 1, args, "linecount", "fill_with")
	if err != nil {
		return nil, err
	}
	size := bound[0]
	fill := bound[1]
	var source iterator
	var held Value
	return generator("generator", func(rt *renderer) (Value, bool, error) {
		if source == nil {
			if source, err = iterate(v); err != nil {
				return nil, false, err
			}
		}
		var row []Value
		if held != nil {
			row, held = []Value{held}, nil
		}
		for {
			item, ok, err := source.next(rt)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				row, err = rt.filled(row, size, fill)
				return NewList(row...), len(row) > 0, err
			}
			full, err := rt.equal(Int(len(row)), size)
			if err != nil {
				return nil, false, err
			}
			if err := rt.growItems(1); err != nil {
				return nil, false, err
			}
			if full {
				held = item
				return NewList(row...), true, nil
			}
			row = append(row, item)
		}
	}), nil
}

// filled is a batch's last row, made up to its size.
func (rt *renderer) filled(row []Value, size, fill Value) ([]Value, error) {
	if len(row) == 0 || fill == nil || isNone(fill) {
		return row, nil
	}
	n, err := count("the size of a batch", size, 0)
	if err != nil {
		return nil, err
	}
	if missing := n - int64(len(row)); missing > 0 {
		if missing > 1<<31 {
			missing = 1 << 31
		}
		if err := rt.growItems(int(missing)); err != nil {
			return nil, err
		}
		for ; missing > 0; missing-- {
			row = append(row, fill)
		}
	}
	return row, nil
}

func sliceFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("slice", 1, args, "slices", "fill_with")
	if err != nil {
		return nil, err
	}
	var items []Value
	slices, number, start := int64(-1), int64(0), int64(0)
	return generator("generator", func(rt *renderer) (Value, bool, error) {
		if slices < 0 {
			if items, err = rt.items(v); err != nil {
				return nil, false, err
			}
			if slices, err = count("the number of slices", bound[0], 0); err != nil {
				return nil, false, err
			}
			if slices == 0 {
				return nil, false, divisionByZero()
			}
			slices = max(slices, 0)
		}
		if number == slices {
			return nil, false, nil
		}
		size, extra := int64(len(items))/slices, int64(len(items))%slices
		end := start + size
		if number < extra {
			end++
		}
		if err := rt.growItems(int(end-start) + 1); err != nil {
			return nil, false, err
		}
		out := append(make([]Value, 0, end-start+1), items[start:end]...)
		if bound[1] != nil && !isNone(bound[1]) && number >= extra {
			out = append(out, bound[1])
		}
		start = end
		number++
		return NewList(out...), true, nil
	}), nil
}
