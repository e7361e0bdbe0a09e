package data

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// A room is bytes that may be in use at once.
type room struct {
	size int64
	free *semaphore.Weighted
}

func newRoom(size int64) *room { return &room{size, semaphore.NewWeighted(size)} }

// take waits until n bytes are free. More than there is counts as all there is.
func (r *room) take(ctx context.Context, n int) error {
	return r.free.Acquire(ctx, min(int64(n), r.size))
}

// give gives back what take was given.
func (r *room) give(n int) { r.free.Release(min(int64(n), r.size)) }
