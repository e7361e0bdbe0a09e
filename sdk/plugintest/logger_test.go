package plugintest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/plugintest/internal/sample"
)

// journalOptions let the kit read what the sample logger wrote.
func journalOptions() plugintest.LoggerOptions {
	return plugintest.LoggerOptions{Read: func(run *logger.Run) ([]plugintest.RecordKey, error) {
		pairs, err := sample.ReadJournal(run.Directory)
		var out []plugintest.RecordKey
		for _, p := range pairs {
			out = append(out, plugintest.RecordKey{Attempt: p[0], Seq: p[1]})
		}
		return out, err
	}}
}

func TestSampleLogger(t *testing.T) {
	create := func() logger.Logger { return new(sample.Journal) }
	t.Run("with a reader", func(t *testing.T) { plugintest.Logger(t, create, journalOptions()) })
	t.Run("without", func(t *testing.T) { plugintest.Logger(t, create, plugintest.LoggerOptions{}) })
}

// A brokenLogger is the sample with one thing wrong.
type brokenLogger struct {
	sample.Journal
	describe func(*logger.Description)
	run      func(*logger.Run)
	opened   func(*logger.Opened)
	openErr  func(error) error
	records  func([]logger.Record) []logger.Record
	logErr   func([]logger.Record, error) error
	closeErr func(logger.Status, error) error
}

func (b *brokenLogger) Describe(ctx context.Context) (*logger.Description, error) {
	d, err := b.Journal.Describe(ctx)
	if b.describe != nil {
		b.describe(d)
	}
	return d, err
}

func (b *brokenLogger) Open(ctx context.Context, run *logger.Run) (*logger.Opened, error) {
	if b.run != nil {
		c := *run
		b.run(&c)
		run = &c
	}
	o, err := b.Journal.Open(ctx, run)
	if err == nil && b.opened != nil {
		b.opened(o)
	}
	if err != nil && b.openErr != nil {
		return &logger.Opened{}, b.openErr(err)
	}
	return o, err
}

func (b *brokenLogger) Log(ctx context.Context, records []logger.Record) error {
	if b.records != nil {
		records = b.records(records)
	}
	err := b.Journal.Log(ctx, records)
	if b.logErr != nil {
		err = b.logErr(records, err)
	}
	return err
}

func (b *brokenLogger) Close(ctx context.Context, status logger.Status) error {
	err := b.Journal.Close(ctx, status)
	if b.closeErr != nil {
		err = b.closeErr(status, err)
	}
	return err
}

// brokenLoggers are loggers that each break a rule, by the rule.
func brokenLoggers() map[string]func() logger.Logger {
	ignore := func([]logger.Record, error) error { return nil }
	return map[string]func() logger.Logger{
		"logger/describe": func() logger.Logger {
			return &brokenLogger{describe: func(d *logger.Description) { d.Rewind = "sometimes" }}
		},
		"logger/schema-valid": func() logger.Logger {
			return &brokenLogger{describe: func(d *logger.Description) {
				d.Schema.Attributes = append(d.Schema.Attributes, config.Attribute{Name: "File", Type: config.Of(config.String), Doc: "?"})
			}}
		},
		"logger/unknown-setting-refused": func() logger.Logger {
			return &brokenLogger{run: func(r *logger.Run) { r.Config = nil }}
		},
		"logger/open-fresh": func() logger.Logger {
			return &brokenLogger{opened: func(o *logger.Opened) { o.Seq++ }}
		},
		"logger/open-reports-last": func() logger.Logger {
			return &brokenLogger{opened: func(o *logger.Opened) { o.Attempt = min(o.Attempt, 1) }}
		},
		"logger/every-kind": func() logger.Logger {
			return &brokenLogger{logErr: func(records []logger.Record, err error) error {
				if len(records) > 0 && len(records[0].Tables) > 0 {
					return errors.New("tables are not implemented")
				}
				return err
			}}
		},
		"logger/no-doubles": func() logger.Logger {
			b := &brokenLogger{}
			b.records = func(records []logger.Record) []logger.Record { // forgets what it had
				b.Forget()
				return records
			}
			return b
		},
		"logger/rewind": func() logger.Logger { // drops steps that it has seen
			seen := int64(0)
			return &brokenLogger{records: func(records []logger.Record) []logger.Record {
				var out []logger.Record
				for _, r := range records {
					if r.Attempt == 1 || r.Step > seen {
						out = append(out, r)
					}
					if r.Attempt == 2 {
						seen = 9
					}
				}
				return out
			}}
		},
		"logger/many-records": func() logger.Logger {
			return &brokenLogger{records: func(records []logger.Record) []logger.Record { return records[:min(len(records), 1000)] }}
		},
		"logger/out-of-order-refused": func() logger.Logger { return &brokenLogger{logErr: ignore} },
		"logger/bad-folder": func() logger.Logger {
			return &brokenLogger{openErr: func(error) error { return nil }}
		},
		"logger/close": func() logger.Logger {
			return &brokenLogger{closeErr: func(s logger.Status, err error) error {
				if s.State == "interrupted" {
					return errors.New("what is that?")
				}
				return err
			}}
		},
	}
}

func TestBrokenLoggers(t *testing.T) {
	for id, create := range brokenLoggers() {
		t.Run(id, func(t *testing.T) {
			for name, o := range map[string]plugintest.LoggerOptions{"with a reader": journalOptions(), "without": {}} {
				t.Run(name, func(t *testing.T) {
					o.Only = []string{id}
					mustRefuse(t, plugintest.CheckLogger(t.Context(), plugintest.InProcess(create), o), id)
				})
			}
		})
	}
}
