package data

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// numbered is a data set of rows with so many documents each.
func numbered(documents ...int) *Dataset {
	var b builder
	for row, n := range documents {
		for i := range n {
			b.add(int32(row), fmt.Sprintf("a:%d", row), []int32{int32(row), int32(i), 7}, []bool{true, true, false})
		}
	}
	return &b.set
}

func TestSplit(t *testing.T) {
	set := numbered(1, 2, 1, 3, 1, 1, 1, 1, 1, 1)
	places := func(d *Dataset) []string {
		var out []string
		for _, doc := range d.Documents {
			out = append(out, doc.Where)
		}
		return slices.Compact(out)
	}
	tests := []struct {
		fraction float64
		rows     int
	}{{0.3, 3}, {0.01, 1}, {0.99, 9}, {0.5, 5}}
	for _, test := range tests {
		rest, taken, err := set.Split(test.fraction, 5)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(places(taken)); got != test.rows || len(places(rest)) != 10-test.rows {
			t.Errorf("a fraction of %v took %d rows of 10 and left %d", test.fraction, got, len(places(rest)))
		}
		if len(rest.Documents)+len(taken.Documents) != len(set.Documents) {
			t.Error("documents are lost or doubled")
		}
		for _, place := range places(taken) {
			if slices.Contains(places(rest), place) {
				t.Errorf("%s stands in both parts", place)
			}
		}
		if !slices.IsSorted(places(taken)) || !slices.IsSorted(places(rest)) {
			t.Error("the order is not kept")
		}
		_, again, _ := set.Split(test.fraction, 5)
		if !reflect.DeepEqual(again, taken) {
			t.Error("the same seed took other rows")
		}
	}
	_, a, _ := set.Split(0.3, 1)
	_, b, _ := set.Split(0.3, 2)
	if reflect.DeepEqual(a, b) {
		t.Error("another seed took the same rows")
	}
	for _, fraction := range []float64{0, 1, -0.1, 1.5} {
		if _, _, err := set.Split(fraction, 1); err == nil {
			t.Errorf("a fraction of %v is no error", fraction)
		}
	}
	if _, _, err := numbered(4).Split(0.5, 1); err == nil {
		t.Error("a part of one row is no error")
	}
}

func TestFingerprint(t *testing.T) {
	base := numbered(1, 1).Fingerprint()
	changes := map[string]func(*Dataset){
		"an id":           func(d *Dataset) { d.Documents[0].IDs[1] = 9 },
		"a mark":          func(d *Dataset) { d.Documents[0].Supervised[2] = true },
		"the order":       func(d *Dataset) { slices.Reverse(d.Documents) },
		"a document less": func(d *Dataset) { d.Documents = d.Documents[:1] },
		"another long id": func(d *Dataset) { d.Documents[1].IDs[2] = 1 << 20 },
		"a token less":    func(d *Dataset) { d.Documents[1].IDs = d.Documents[1].IDs[:2] },
		"a split elsewhere": func(d *Dataset) {
			d.Documents[0].IDs = append(d.Documents[0].IDs, 1)
			d.Documents[0].Supervised = append(d.Documents[0].Supervised, false)
		},
	}
	for name, change := range changes {
		d := numbered(1, 1)
		change(d)
		if d.Fingerprint() == base {
			t.Errorf("%s changed, the fingerprint did not", name)
		}
	}
	d := numbered(1, 1)
	d.Documents[0].Where = "elsewhere"
	d.Documents[0].Supervised[0] = false // a first token is never learned
	if d.Fingerprint() != base {
		t.Error("what makes no difference changed the fingerprint")
	}
}

func TestBuilderKeepsDocumentsApart(t *testing.T) {
	var b builder
	var docs []*Document
	lengths := []int{5, slabTokens + 3, 7, slabTokens - 2, 2, 1}
	for i, n := range lengths {
		ids := make([]int32, n)
		for k := range ids {
			ids[k] = int32(i)
		}
		docs = append(docs, b.add(int32(i), "", ids, make([]bool, n)))
	}
	for i := range 3 * slabDocuments {
		b.add(int32(i), "", []int32{-1}, []bool{true})
	}
	docs[0].IDs = append(docs[0].IDs, 99) // must not reach the next document
	for i, doc := range docs[1:] {
		if len(doc.IDs) != lengths[i+1] || slices.ContainsFunc(doc.IDs, func(id int32) bool { return id != int32(i+1) }) || slices.Contains(doc.Supervised, true) {
			t.Errorf("document %d is damaged", i+1)
		}
	}
}
