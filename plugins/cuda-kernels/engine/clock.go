package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// A clock measures what share of a step each family of kernels takes, by events on the
// queue. Its events cost a few microseconds each, so it runs only when asked for.
type clock struct {
	q      *device.Queue
	events []*cuda.Event
	laps   []string // the family of the time up to each event; "" begins
	used   int
}

// The families that are no operation of the Graph. A backward pass has the name of the
// forward pass, and familyBackward behind it.
const (
	familyAdapter  = "adapter"
	familyHead     = "head and loss"
	familyUpdate   = "update"
	familyBackward = ", backward"
)

// begin notes that what comes next is measured. A nil clock measures nothing.
func (k *clock) begin() { k.lap("") }

// lap says that the time since the last event was a family's.
func (k *clock) lap(family string) {
	if k == nil {
		return
	}
	if k.used == len(k.events) {
		k.events, k.laps = append(k.events, nil), append(k.laps, "")
	}
	k.events[k.used] = k.q.Record(k.events[k.used])
	k.laps[k.used] = family
	k.used++
}

// seconds are the sums by family since the last call. The queue has to be done with
// what was measured.
func (k *clock) seconds() (map[string]float64, error) {
	out := map[string]float64{}
	for i := 1; i < k.used; i++ {
		if k.laps[i] == "" {
			continue
		}
		ms, err := k.events[i].Since(k.events[i-1])
		if err != nil {
			return nil, err
		}
		out[k.laps[i]] += float64(ms) / 1e3
	}
	k.used = 0
	return out, nil
}
