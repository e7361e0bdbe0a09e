package offline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
)

// Names of the history that are the format's own.
const (
	StepKey    = "train/global_step" // the training step; the other metrics' axis
	AttemptKey = "train/attempt"     // the run's attempt
)

// minConsumer is the oldest wandb that reads the log.
const minConsumer = "0.40.0"

// Settings are what a run is.
type Settings struct {
	ID                   string
	Entity, Project      string
	Name, Group, JobType string
	Notes                string
	Tags                 []string
	Directory            string         // hone's folder of the run
	Attempt              int64          // 1 at the first start, one more at each resume
	Start                time.Time      // of the attempt
	Config               map[string]any // by dotted name
	Producer             string         // name and version of the program
	Warn                 func(message string, details ...any)
}

// A Run is a run's folder that is being written. It is not safe for concurrent
// use.
type Run struct {
	settings Settings
	folder   string
	log      *datastore.File
	position
}

// position is what is known of a log's content.
type position struct {
	begun   bool           // the log says what the run is
	id      string         // of the run
	project string         // of the run, with its entity
	last    datastore.Mark // of the last record of hone
	attempt int64          // the last that began
	step    int64          // of the last row; -1 before the first
	time    time.Time      // of the last row, or of the start
	runtime float64        // seconds until then, without the pauses between attempts
	metrics map[string]bool
	summary tree
	console []byte
}

// attemptSeq is the sequence number in the mark of the record that begins an
// attempt: no record of hone has it.
const attemptSeq = -1

// Open opens the run's folder, which is made where it is missing.
func Open(folder string, s Settings) (*Run, error) {
	r := &Run{settings: s, folder: folder}
	if err := os.MkdirAll(filepath.Join(folder, "files"), 0o777); err != nil {
		return nil, fmt.Errorf("cannot make the run's folder: %w", err)
	}
	r.position = position{step: -1, metrics: map[string]bool{}, summary: tree{}}
	path := filepath.Join(folder, "run-"+s.ID+".wandb")
	var err error
	if r.log, err = datastore.OpenFile(path, r.visit); err != nil {
		return nil, err
	}
	for _, step := range []func() error{r.begin, r.declareAxis, r.beginAttempt, r.writeFiles} {
		if err := step(); err != nil {
			return nil, errors.Join(err, r.log.Close())
		}
	}
	// A log that was uploaded is not any more what the server has.
	if err := os.Remove(path + ".synced"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("cannot remove the mark of an upload: %w", err), r.log.Close())
	}
	if err := linkLatest(folder); err != nil {
		s.Warn("latest-run does not point at the run", "reason", err.Error())
	}
	return r, nil
}

// visit takes one record of the log.
func (p *position) visit(record datastore.Parsed) {
	switch {
	case record.Run != nil:
		p.begun, p.id, p.time = true, record.Run.ID, record.Run.Start
		p.project = projectPath(record.Run.Entity, record.Run.Project)
	case record.History != nil:
		p.visitRow(record.History)
	case record.Summary != nil:
		for _, item := range record.Summary {
			p.summary.set(item.Key, raw(item.Value))
		}
	case record.Metric != nil:
		p.metrics[record.Metric.Name] = true
	case record.Output != "":
		p.console = append(p.console, record.Output...)
	}
	if record.Mark == (datastore.Mark{}) {
		return
	}
	p.attempt = max(p.attempt, record.Mark.Attempt)
	if record.Mark.Seq != attemptSeq {
		p.last = record.Mark
	}
}

func (p *position) visitRow(row *datastore.History) {
	p.step = row.Step
	for _, item := range row.Items {
		if len(item.Key) != 1 {
			continue
		}
		switch item.Key[0] {
		case "_timestamp":
			p.time = fromSeconds(number(item.Value))
		case "_runtime":
			p.runtime = number(item.Value)
		}
	}
}

// begin writes what the run is at the head of a new log. A log without it holds
// nothing worth keeping: its writer was killed at its first write.
func (r *Run) begin() error {
	if r.begun {
		if r.id != r.settings.ID {
			return fmt.Errorf("%s is the log of the run %q, not of %q", r.folder, r.id, r.settings.ID)
		}
		if mine := projectPath(r.settings.Entity, r.settings.Project); mine != r.project {
			r.settings.Warn("the run stays in the W&B project in which it began; wandb sync -e ENTITY -p PROJECT uploads it elsewhere",
				"project", r.project, "asked_for", mine)
		}
		return nil
	}
	if err := r.log.Restart(); err != nil {
		return err
	}
	s := r.settings
	host, _ := os.Hostname()
	r.begun, r.time = true, s.Start
	return r.log.Append(
		datastore.Entry{Record: datastore.Header{Producer: s.Producer, MinConsumer: minConsumer}},
		datastore.Entry{Record: datastore.Run{
			ID: s.ID, Entity: s.Entity, Project: s.Project, Config: nested(s.Config).items(),
			Group: s.Group, JobType: s.JobType, Name: s.Name, Notes: s.Notes, Tags: s.Tags,
			Host: host, Start: s.Start,
		}},
	)
}

// declareAxis declares the metrics that every row has.
func (r *Run) declareAxis() error {
	for _, metric := range []datastore.Metric{
		{Name: StepKey, Hidden: true},
		{Name: AttemptKey, StepMetric: StepKey, Hidden: true},
	} {
		if r.metrics[metric.Name] {
			continue
		}
		if err := r.log.Append(datastore.Entry{Record: metric}); err != nil {
			return err
		}
		r.metrics[metric.Name] = true
	}
	return nil
}

// beginAttempt writes what an attempt changes: the machine, and the settings,
// some of which a resumed run may change.
func (r *Run) beginAttempt() error {
	s := r.settings
	if r.attempt >= s.Attempt {
		return nil
	}
	host, _ := os.Hostname()
	entries := []datastore.Entry{
		{Record: datastore.Environment{
			OS: runtime.GOOS + "-" + runtime.GOARCH, Started: s.Start, Program: "hone", Root: s.Directory,
			Host: host, CPUs: int64(runtime.NumCPU()), WriterID: s.ID,
		}},
	}
	line := "hone: the run starts\n"
	if s.Attempt > 1 {
		line = fmt.Sprintf("hone: the run goes on, attempt %d\n", s.Attempt)
		entries = append(entries, datastore.Entry{Record: datastore.Config(nested(s.Config).items())})
	}
	entries = append(entries, datastore.Entry{
		Record: datastore.Output{Text: line, Time: s.Start},
		Mark:   datastore.Mark{Attempt: s.Attempt, Seq: attemptSeq},
	})
	if err := r.log.Append(entries...); err != nil {
		return err
	}
	r.attempt = s.Attempt
	r.console = append(r.console, line...)
	return nil
}

// Last is the mark of the last record of hone that the log holds; the zero mark
// where it holds none.
func (r *Run) Last() datastore.Mark { return r.last }

// An End is how a run ends.
type End struct {
	Code int64  // 0: success
	Line string // what the console says about it, without the newline
	Time time.Time
}

// Close ends the run and closes the folder. A run that is opened again goes on.
func (r *Run) Close(end End) error {
	seconds := int64(r.runtimeAt(end.Time, r.attempt))
	runtimeItem := datastore.Item{Key: []string{"_wandb", "runtime"}, Value: fmt.Sprint(seconds)}
	r.summary.set(runtimeItem.Key, raw(runtimeItem.Value))
	line := end.Line + "\n"
	r.console = append(r.console, line...)
	err := r.log.Append(
		datastore.Entry{Record: datastore.Output{Text: line, Time: end.Time}},
		datastore.Entry{Record: datastore.Summary{runtimeItem}},
		datastore.Entry{Record: datastore.Exit{Code: end.Code, Runtime: seconds}},
	)
	return errors.Join(err, r.writeFiles(), r.log.Close())
}

// projectPath is a project with its entity, where there is one.
func projectPath(entity, project string) string {
	if entity == "" {
		return project
	}
	return entity + "/" + project
}
