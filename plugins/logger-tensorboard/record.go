package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/plugins/logger-tensorboard/events"
	"github.com/honeml/hone/sdk/logger"
)

// maxImage is the largest image file in bytes that is taken into an event file.
const maxImage = 64 << 20

// values are what a record holds, sorted by kind and name. What TensorBoard
// cannot hold, such as an image file that is gone, is left out with a warning:
// the rest of the record still counts.
func (t *tensorboard) values(r *logger.Record) []events.Value {
	var values []events.Value
	add := func(v events.Value, err error) {
		if err != nil {
			t.log.Warn("left out of TensorBoard's files", "step", r.Step, "reason", err.Error())
			return
		}
		values = append(values, v)
	}
	for _, name := range sorted(r.Scalars) {
		add(events.Scalar(name, r.Scalars[name]), nil)
	}
	for _, name := range sorted(r.Texts) {
		add(events.Text(name, r.Texts[name]), nil)
	}
	for _, name := range sorted(r.Tables) {
		add(events.NewTable(name, r.Tables[name].Columns, r.Tables[name].Rows))
	}
	for _, name := range sorted(r.Histograms) {
		h := r.Histograms[name]
		add(events.NewHistogram(name, events.Histogram{
			Edges: h.Edges, Counts: h.Counts, Sum: h.Sum, SumSquares: h.SumSquares,
		}))
	}
	for _, name := range sorted(r.Images) {
		add(t.image(name, r.Images[name]))
	}
	return values
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// image reads an image file; relative paths start at the run's folder.
func (t *tensorboard) image(name, path string) (events.Value, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(t.run.Directory, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return events.Value{}, fmt.Errorf("image %q: %w", name, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxImage+1))
	if err != nil {
		return events.Value{}, fmt.Errorf("image %q: %w", name, err)
	}
	if len(data) > maxImage {
		return events.Value{}, fmt.Errorf("image %q: %s has more than %d bytes", name, path, maxImage)
	}
	return events.NewImage(name, data)
}

// hyperparameters are those of the run, with all numbers as float64.
func hyperparameters(flat map[string]any) events.HParams {
	hparams := make(events.HParams, len(flat))
	for name, value := range flat {
		switch v := value.(type) {
		case int:
			hparams[name] = float64(v)
		case int64:
			hparams[name] = float64(v)
		default:
			hparams[name] = v
		}
	}
	return hparams
}
