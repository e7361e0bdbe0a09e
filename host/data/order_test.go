package data

import (
	"reflect"
	"slices"
	"testing"
)

func collect(t *testing.T, lengths []int, spec OrderSpec) []StepDocuments {
	t.Helper()
	o, err := NewOrder(lengths, spec)
	if err != nil {
		t.Fatal(err)
	}
	var out []StepDocuments
	for {
		s, ok := o.Next()
		if !ok {
			break
		}
		out = append(out, s)
	}
	if int64(len(out)) != o.TotalSteps() {
		t.Fatalf("%d steps, TotalSteps says %d", len(out), o.TotalSteps())
	}
	return out
}

func TestOrderFillsStepsByTokens(t *testing.T) {
	lengths := []int{4, 4, 3, 10, 1, 1}
	steps := collect(t, lengths, OrderSpec{TokensPerStep: 8, Epochs: 2})
	var got [][]int
	for _, s := range steps {
		got = append(got, s.Indices)
	}
	// The document of 10 tokens does not fit any step and has one of its own; the
	// epoch's last step is not filled from the next epoch.
	want := [][]int{{0, 1}, {2}, {3}, {4, 5}, {0, 1}, {2}, {3}, {4, 5}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if last := steps[7]; last.Epoch != 1 || !slices.Equal(last.Samples, []int32{10, 11}) || last.Tokens != 2 {
		t.Errorf("last step: %+v", last)
	}
}

func TestOrderFillsStepsByDocuments(t *testing.T) {
	steps := collect(t, []int{1, 2, 3, 4, 5}, OrderSpec{DocumentsPerStep: 2, Steps: 4})
	var got [][]int
	for _, s := range steps {
		got = append(got, s.Indices)
	}
	want := [][]int{{0, 1}, {2, 3}, {4}, {0, 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOrderShuffles(t *testing.T) {
	lengths := make([]int, 50)
	for i := range lengths {
		lengths[i] = 1 + i%7
	}
	spec := OrderSpec{Seed: 3, Shuffle: true, TokensPerStep: 9, Epochs: 3}
	steps := collect(t, lengths, spec)
	if !reflect.DeepEqual(steps, collect(t, lengths, spec)) {
		t.Error("the same seed gave two orders")
	}
	epochs := map[int][]int{}
	for _, s := range steps {
		epochs[s.Epoch] = append(epochs[s.Epoch], s.Indices...)
	}
	if slices.Equal(epochs[0], epochs[1]) || slices.IsSorted(epochs[0]) {
		t.Error("epochs are not shuffled, or all alike")
	}
	for epoch, indices := range epochs {
		slices.Sort(indices)
		if len(indices) != 50 || len(slices.Compact(indices)) != 50 {
			t.Errorf("epoch %d does not hold each document once", epoch)
		}
	}
	spec.Seed = 4
	if reflect.DeepEqual(steps, collect(t, lengths, spec)) {
		t.Error("another seed gave the same order")
	}
}

func TestOrderSkipsToItsPlace(t *testing.T) {
	lengths := []int{3, 5, 2, 8, 1, 4}
	spec := OrderSpec{Seed: 1, Shuffle: true, TokensPerStep: 8, Epochs: 4}
	all := collect(t, lengths, spec)
	for done := range all {
		o, err := NewOrder(lengths, spec)
		if err != nil {
			t.Fatal(err)
		}
		documents, err := o.Skip(int64(done))
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, s := range all[:done] {
			want += len(s.Indices)
		}
		next, _ := o.Next()
		if int(documents) != want || !reflect.DeepEqual(next, all[done]) {
			t.Fatalf("after %d steps: %d documents, then %+v; want %d, %+v", done, documents, next, want, all[done])
		}
	}
	o, _ := NewOrder(lengths, spec)
	if _, err := o.Skip(int64(len(all)) + 1); err == nil {
		t.Error("skipping beyond the end is no error")
	}
}

func TestOrderRefuses(t *testing.T) {
	if _, err := NewOrder(nil, OrderSpec{TokensPerStep: 1, Epochs: 1}); err == nil {
		t.Error("no documents are no error")
	}
	if _, err := NewOrder(make([]int, 1<<20), OrderSpec{TokensPerStep: 1, Epochs: 1 << 20}); err == nil {
		t.Error("more documents than can be counted are no error")
	}
}

func TestPack(t *testing.T) {
	place := func(lengths ...int) []Placed {
		var out []Placed
		for i, n := range lengths {
			d := &Document{IDs: make([]int32, n), Supervised: make([]bool, n)}
			for j := range d.Supervised {
				d.Supervised[j] = true
			}
			out = append(out, Placed{d, int32(i)})
		}
		return out
	}
	tests := []struct {
		name    string
		lengths []int
		max     int
		packing bool
		want    [][]int32 // samples, one a document
	}{
		{"best fit", []int{5, 6, 4, 3, 2}, 10, true, [][]int32{{1, 2}, {0, 3, 4}}},
		{"too long", []int{12, 3}, 10, true, [][]int32{{0}, {1}}},
		{"no packing", []int{1, 2, 1}, 10, false, [][]int32{{1}, {0}, {2}}},
		{"equal lengths keep their order", []int{5, 5, 5}, 10, true, [][]int32{{0, 1}, {2}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			batches := Pack(place(test.lengths...), test.max, test.packing)
			var got [][]int32
			for _, b := range batches {
				if err := b.Validate(1); err != nil {
					t.Error(err)
				}
				got = append(got, slices.Compact(slices.Clone(b.Sample)))
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
