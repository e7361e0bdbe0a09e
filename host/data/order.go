package data

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// An OrderSpec says which documents a run's steps are made of.
type OrderSpec struct {
	Seed    uint64
	Shuffle bool // each epoch in an order of its own, by seed; false: as the data stands
	// Either bounds a step: the next documents whose tokens fit, at least one; or
	// a number of documents.
	TokensPerStep    int
	DocumentsPerStep int
	// Either ends the run. With Steps, epochs follow each other until they are
	// done.
	Epochs int
	Steps  int64
}

// An Order deals documents out to optimizer steps: which ones, in which order,
// epoch after epoch. A step never spans two epochs. It is a function of the
// lengths and the spec alone, so a resumed run finds its place by the number of
// steps done.
type Order struct {
	spec    OrderSpec
	lengths []int
	total   int64

	epoch int
	order []int // indices of the epoch's documents
	at    int   // documents of the epoch that are dealt out
	step  int64 // steps dealt out
}

// A StepDocuments is what a step is made of.
type StepDocuments struct {
	Step    int64   // from 1
	Epoch   int     // from 0
	Indices []int   // documents, in order
	Samples []int32 // the number of each document in the run
	Tokens  int
}

// NewOrder deals out documents of the given lengths. There has to be at least
// one.
func NewOrder(lengths []int, spec OrderSpec) (*Order, error) {
	if len(lengths) == 0 {
		return nil, fmt.Errorf("no documents to train on")
	}
	if spec.Epochs > 0 && spec.Epochs > math.MaxInt32/len(lengths) {
		return nil, fmt.Errorf("%d epochs of %d documents: a run counts documents up to %d", spec.Epochs, len(lengths), math.MaxInt32)
	}
	o := &Order{spec: spec, lengths: lengths}
	o.rewind()
	o.total = spec.Steps
	if o.total == 0 {
		for {
			if _, ok := o.next(); !ok {
				break
			}
			o.total++
		}
		o.rewind()
	}
	return o, nil
}

// TotalSteps is the number of steps of the whole run.
func (o *Order) TotalSteps() int64 { return o.total }

// Skip deals out the first n steps again without giving them to anyone, and
// returns the number of documents they used.
func (o *Order) Skip(n int64) (documents int64, err error) {
	for range n {
		s, ok := o.Next()
		if !ok {
			return documents, fmt.Errorf("the run has %d steps, %d of them are said to be done", o.total, n)
		}
		documents += int64(len(s.Indices))
	}
	return documents, nil
}

// Next is the next step's documents; false at the end of the run.
func (o *Order) Next() (StepDocuments, bool) {
	if o.step >= o.total {
		return StepDocuments{}, false
	}
	return o.next()
}

func (o *Order) rewind() {
	o.epoch, o.at, o.step = -1, 0, 0
	o.order = nil
}

func (o *Order) next() (StepDocuments, bool) {
	if o.at >= len(o.order) {
		if o.spec.Steps == 0 && o.epoch+1 >= o.spec.Epochs {
			return StepDocuments{}, false
		}
		o.epoch++
		o.at = 0
		o.order = o.permutation(o.epoch)
	}
	o.step++
	s := StepDocuments{Step: o.step, Epoch: o.epoch}
	for o.at < len(o.order) {
		index := o.order[o.at]
		length := o.lengths[index]
		full := len(s.Indices) >= o.spec.DocumentsPerStep
		if o.spec.DocumentsPerStep == 0 {
			full = s.Tokens+length > o.spec.TokensPerStep
		}
		if full && len(s.Indices) > 0 {
			break
		}
		s.Indices = append(s.Indices, index)
		s.Samples = append(s.Samples, int32(int64(o.epoch)*int64(len(o.order))+int64(o.at)))
		s.Tokens += length
		o.at++
	}
	return s, true
}

// permutation is the order of an epoch's documents.
func (o *Order) permutation(epoch int) []int {
	if o.spec.Shuffle {
		return rand.New(rand.NewPCG(o.spec.Seed, uint64(epoch)+0x9e3779b97f4a7c15)).Perm(len(o.lengths))
	}
	order := make([]int, len(o.lengths))
	for i := range order {
		order[i] = i
	}
	return order
}
