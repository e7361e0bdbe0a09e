package source

import "time"

// Hasty are o with next to no pause before retries.
func Hasty(o Options) Options {
	o.pause = time.Millisecond
	return o
}
