package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// staging is pinned memory through which the host sends to the GPU without waiting
// for it: a ring of slots, each free again once its copy was done.
type staging struct {
	slots []stagingSlot
	at    int
	err   error
}

type stagingSlot struct {
	memory *cuda.HostMemory
	sent   *cuda.Event // nil: never sent
}

// stagingSlots are enough for the host to be a few micro-batches ahead.
const stagingSlots = 4

func newStaging(gpu *device.GPU, bytes, slots int) (*staging, error) {
	s := &staging{slots: make([]stagingSlot, slots)}
	for i := range s.slots {
		memory, err := gpu.AllocHost(int64(bytes))
		if err != nil {
			return nil, err
		}
		s.slots[i].memory = memory
	}
	return s, nil
}

// next is the next slot's memory, after the wait for what was last sent from it.
func (s *staging) next() []byte {
	slot := &s.slots[s.at%len(s.slots)]
	if slot.sent != nil {
		if err := slot.sent.Synchronize(); err != nil && s.err == nil {
			s.err = err
		}
	}
	return slot.memory.Bytes()
}

// send copies data, which lies in the memory that next gave, to the GPU.
func (s *staging) send(q *device.Queue, dst device.Pointer, data []byte) {
	slot := &s.slots[s.at%len(s.slots)]
	s.at++
	q.Fail(s.err)
	q.Upload(dst, data)
	slot.sent = q.Record(slot.sent)
}

// close waits for what was sent and gives the memory back.
func (s *staging) close(q *device.Queue) error {
	for i := range s.slots {
		slot := &s.slots[i]
		if slot.sent != nil {
			if err := slot.sent.Synchronize(); err != nil {
				return err
			}
		}
		if err := slot.memory.Free(); err != nil {
			return err
		}
	}
	return q.Err()
}
