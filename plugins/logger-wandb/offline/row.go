package offline

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
	"github.com/honeml/hone/sdk/logger"
)

// Log adds records, each as a row of the history. Records that the log holds
// already are dropped. What W&B cannot hold, such as an image file that is gone,
// is left out with a warning: the rest of the record still counts.
func (r *Run) Log(ctx context.Context, records []logger.Record) error {
	for i := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		mark := datastore.Mark{Attempt: records[i].Attempt, Seq: records[i].Seq}
		if !mark.After(r.last) {
			continue
		}
		if err := r.logOne(&records[i], mark); err != nil {
			return err
		}
	}
	return nil
}

// logOne writes a record's row, and before it what the row needs: the files to
// upload, the declarations of new metrics, and the summary. The row's mark comes
// last, so that a record of which it is missing is written again whole.
func (r *Run) logOne(record *logger.Record, mark datastore.Mark) error {
	step := max(record.Step, r.step+1)
	values, files, err := r.values(record, step)
	if err != nil {
		return err
	}
	var entries []datastore.Entry
	if len(files) > 0 {
		entries = append(entries, datastore.Entry{Record: files})
	}
	var fresh []string
	for _, name := range values.keys() {
		if !r.metrics[name] && !strings.HasPrefix(name, "_") { // those are W&B's own
			fresh = append(fresh, name)
			entries = append(entries, datastore.Entry{Record: datastore.Metric{Name: name, StepMetric: StepKey}})
		}
	}
	runtime := r.runtimeAt(record.Time, record.Attempt)
	values[StepKey], values[AttemptKey] = record.Step, record.Attempt
	values["_step"], values["_timestamp"], values["_runtime"] = step, seconds(record.Time), runtime
	row, err := leaves(nil, nil, values)
	if err != nil {
		return err
	}
	summary := append(slices.Clone(row), datastore.Item{
		Key: []string{"_wandb", "runtime"}, Value: strconv.FormatInt(int64(runtime), 10),
	})
	entries = append(entries,
		datastore.Entry{Record: datastore.Summary(summary)},
		datastore.Entry{Record: datastore.History{Step: step, Items: row}, Mark: mark})
	if err := r.log.Append(entries...); err != nil {
		return err
	}
	for _, name := range fresh {
		r.metrics[name] = true
	}
	for _, item := range summary {
		r.summary.set(item.Key, raw(item.Value))
	}
	r.last, r.step, r.time, r.runtime = mark, step, record.Time, runtime
	r.attempt = max(r.attempt, record.Attempt)
	return nil
}

// values are what a record holds, by name, and the files to upload. Where two
// kinds of values have the same name, the later kind's stays.
func (r *Run) values(record *logger.Record, step int64) (tree, datastore.Files, error) {
	values := tree{}
	var files datastore.Files
	var fatal error
	add := func(name string, value tree, err error) {
		switch {
		case errors.As(err, new(storageError)):
			fatal = errors.Join(fatal, err)
		case err != nil:
			r.settings.Warn("left out of the W&B run", "name", name, "step", record.Step, "reason", err.Error())
		default:
			values[name] = value
			if file, ok := value["path"].(string); ok {
				files = append(files, file)
			}
		}
	}
	for name, v := range record.Scalars {
		values[name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(record.Texts)) {
		value, err := r.text(name, record.Texts[name], step)
		add(name, value, err)
	}
	for _, name := range slices.Sorted(maps.Keys(record.Tables)) {
		value, err := r.table(name, record.Tables[name], step)
		add(name, value, err)
	}
	for _, name := range slices.Sorted(maps.Keys(record.Histograms)) {
		value, err := histogram(record.Histograms[name])
		add(name, value, err)
	}
	for _, name := range slices.Sorted(maps.Keys(record.Images)) {
		value, err := r.image(name, record.Images[name], step)
		add(name, value, err)
	}
	return values, files, fatal
}

// leaves appends the leaves of a tree as items; nested ones have a path for a
// key, as W&B writes them.
func leaves(list []datastore.Item, path []string, t tree) ([]datastore.Item, error) {
	for _, key := range t.keys() {
		here := append(slices.Clone(path), key)
		if below, ok := t[key].(tree); ok {
			var err error
			if list, err = leaves(list, here, below); err != nil {
				return nil, err
			}
			continue
		}
		value, err := datastore.JSON(t[key])
		if err != nil {
			return nil, err
		}
		list = append(list, datastore.Item{Key: here, Value: value})
	}
	return list, nil
}

// runtimeAt is the run's runtime in seconds at a moment of an attempt. The time
// between the last row of an attempt and the start of the next does not count,
// unless the next began while the logger was open.
func (r *Run) runtimeAt(t time.Time, attempt int64) float64 {
	since := r.time
	switch {
	case attempt == r.last.Attempt || attempt > r.settings.Attempt:
	case attempt == r.settings.Attempt:
		since = r.settings.Start
	default: // an older one, whose start nobody tells
		since = t
	}
	return r.runtime + max(0, math.Round(t.Sub(since).Seconds()*1e6)/1e6)
}

// seconds is t in seconds since 1970, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func fromSeconds(s float64) time.Time { return time.UnixMicro(int64(math.Round(s * 1e6))) }

// number is a number of the log; 0 for anything else.
func number(json string) float64 {
	v, err := strconv.ParseFloat(json, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
