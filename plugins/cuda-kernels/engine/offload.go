package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// mover copies values to pinned memory of the host and back, on streams of their own.
type mover struct {
	out, in *device.Queue
	memory  *cuda.HostMemory
	values  map[graph.ValueID]*movedValue
}

// A movedValue is a value's place on the host and where its copies are.
type movedValue struct {
	data, aux                    []byte
	ready, stored, free, fetched *cuda.Event
}

// hostBytes is the pinned memory that the plan takes for what is moved.
func (e *Engine) hostBytes() int64 {
	total := int64(0)
	if e.training != nil {
		rows := bucket(e.layout.tokens)
		for _, v := range e.training.moved {
			total += device.Align(e.valueBytes(v, rows)) + device.Align(e.auxOf(v, rows))
		}
	}
	return total
}

// newMover takes the memory and the streams for what the training program moves.
func newMover(e *Engine) (*mover, error) {
	m := &mover{values: map[graph.ValueID]*movedValue{}}
	if e.hostBytes() == 0 {
		return m, nil
	}
	var err error
	if m.out, err = e.gpu.NewQueue(); err != nil {
		return nil, err
	}
	if m.in, err = e.gpu.NewQueue(); err != nil {
		return nil, err
	}
	if m.memory, err = e.gpu.AllocHost(e.hostBytes()); err != nil {
		return nil, fmt.Errorf("memory of the host for activations: %w", err)
	}
	rows, at := bucket(e.layout.tokens), int64(0)
	take := func(bytes int64) []byte {
		piece := m.memory.Bytes()[at : at+bytes]
		at += device.Align(bytes)
		return piece
	}
	for _, v := range e.training.moved {
		m.values[v] = &movedValue{data: take(e.valueBytes(v, rows)), aux: take(e.auxOf(v, rows))}
	}
	return m, nil
}

// close gives the host's memory back.
func (m *mover) close() error {
	if m.memory == nil {
		return nil
	}
	return m.memory.Free()
}

// move does a step that moves a value of a batch of rows rows.
func (e *Engine) move(s *boundStep, rows int) {
	m := e.mover
	v := m.values[s.value]
	data, aux := v.data[:e.valueBytes(s.value, rows)], v.aux[:e.auxOf(s.value, rows)]
	at, auxAt := e.activation(s.in[0]), e.activation(s.aux)
	name := e.nodes[e.g.Values[s.value].Node].name()
	switch s.kind {
	case diff.Store:
		v.ready = e.q.Record(v.ready)
		m.out.At(name + ", to the host")
		m.out.After(v.ready)
		m.out.Download(data, at)
		m.out.Download(aux, auxAt)
		v.stored = m.out.Record(v.stored)
	case diff.Stored:
		e.q.After(v.stored)
	case diff.Fetch:
		v.free = e.q.Record(v.free)
		m.in.At(name + ", from the host")
		m.in.After(v.free)
		m.in.Upload(at, data)
		m.in.Upload(auxAt, aux)
		v.fetched = m.in.Record(v.fetched)
	case diff.Fetched:
		e.q.After(v.fetched)
	}
	e.q.Fail(m.out.Err())
	e.q.Fail(m.in.Err())
}
