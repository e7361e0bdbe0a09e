package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

// LoggerOptions say how a logger plugin is tested.
type LoggerOptions struct {
	// Config is the plugin's block, as a run file would give it.
	Config map[string]any
	// Read gives the records that a run's folder holds, each as often as it stands
	// there. Without it the kit looks for names of scalars in the folder's files.
	Read func(run *logger.Run) ([]RecordKey, error)
	// Skip lists rules that are left out, by their ids; Only, if not empty, those that
	// are not.
	Skip, Only []string
}

// A RecordKey is what makes a record unique.
type RecordKey struct{ Attempt, Seq int64 }

// CheckLogger runs the rules of logger plugins.
func CheckLogger(ctx context.Context, begin Start[logger.Logger], o LoggerOptions) *Report {
	report := &Report{Kind: plugin.Logger}
	k, err := openLoggerKit(ctx, begin, o)
	if err != nil {
		report.Results = hopeless(loggerRules(), err)
		return report
	}
	defer k.close()
	report.Name, report.Version = k.description.Name, k.description.Version
	report.Results = runRules(ctx, loggerRules(), k, selection{o.Skip, o.Only})
	return report
}

// A loggerKit is what the rules share.
type loggerKit struct {
	start       Start[logger.Logger]
	options     LoggerOptions
	description *logger.Description
	dir         string
	close       func()
}

func openLoggerKit(ctx context.Context, begin Start[logger.Logger], o LoggerOptions) (*loggerKit, error) {
	dir, err := os.MkdirTemp("", "plugintest-")
	if err != nil {
		return nil, err
	}
	k := &loggerKit{start: begin, options: o, dir: dir, close: func() { os.RemoveAll(dir) }}
	if err := k.describe(ctx); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *loggerKit) describe(ctx context.Context) error {
	instance, err := k.start(ctx)
	if err != nil {
		return err
	}
	defer instance.Close()
	k.description, err = instance.Service.Describe(ctx)
	if err == nil && k.description == nil {
		err = errors.New("neither a description nor an error")
	}
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	return nil
}

// run is a run with a folder of its own.
func (k *loggerKit) run(c *check) *logger.Run {
	dir, err := os.MkdirTemp(k.dir, "run-")
	c.must(err, "making a folder")
	return &logger.Run{
		Name: filepath.Base(dir), Directory: dir, Attempt: 1, Start: time.Unix(1_700_000_000, 0),
		Resolved:        []byte(`{"run":"plugintest"}`),
		Hyperparameters: map[string]any{"adapter.rank": 8.0, "train.schedule": "cosine", "data.shuffle": true},
		Config:          k.options.Config,
	}
}

// A life is a logger that is open.
type life struct {
	c        *check
	instance *Instance[logger.Logger]
	opened   *logger.Opened
}

// open starts the plugin and opens a run.
func (k *loggerKit) open(c *check, run *logger.Run) *life {
	l := &life{c: c, instance: start(c, k.start)}
	var err error
	l.opened, err = l.instance.Service.Open(c, run)
	c.must(err, "Open")
	if l.opened == nil {
		c.fail("Open: neither an answer nor an error")
	}
	return l
}

func (l *life) log(records ...logger.Record) {
	l.c.must(l.instance.Service.Log(l.c, records), "Log")
}

// end closes the logger and ends the plugin.
func (l *life) end() {
	l.c.must(l.instance.Service.Close(l.c, logger.Status{State: "interrupted"}), "Close")
	l.instance.Close()
}

// marker is the name of a scalar that stands in one record alone.
func marker(seq int64) string { return fmt.Sprintf("plugintest/marker_%06d", seq) }

// records are those of an attempt from first to last; steps are behind seq by rewound.
func records(attempt, first, last, rewound int64) []logger.Record {
	var out []logger.Record
	for seq := first; seq <= last; seq++ {
		out = append(out, logger.Record{
			Attempt: attempt, Seq: seq, Step: seq - rewound, Time: time.Unix(1_700_000_000+seq, 0),
			Scalars: map[string]float64{"train/loss": 1 / float64(seq), marker(seq): float64(seq)},
		})
	}
	return out
}

// count counts each record's marker in the files below a folder, or asks the reader.
func (k *loggerKit) count(c *check, run *logger.Run, last int64) map[int64]int {
	counts := map[int64]int{}
	if k.options.Read != nil {
		keys, err := k.options.Read(run)
		c.must(err, "reading back what was logged")
		for _, key := range keys {
			counts[key.Seq]++
		}
		return counts
	}
	err := filepath.WalkDir(run.Directory, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for seq := int64(1); seq <= last; seq++ {
			counts[seq] += bytes.Count(data, []byte(marker(seq)))
		}
		return err
	})
	c.must(err, "reading the run's folder")
	return counts
}

// rewinds are the ways in which a logger may take a rewind.
func rewinds() []logger.Rewind { return []logger.Rewind{logger.Purge, logger.Rewrite, logger.Keep} }

func knownRewind(r logger.Rewind) bool { return slices.Contains(rewinds(), r) }
