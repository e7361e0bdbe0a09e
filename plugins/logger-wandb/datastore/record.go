package datastore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of the message Record: the kinds that are written, the running number
// and the uuid.
const (
	recordNum         = 1
	recordHistory     = 2
	recordSummary     = 3
	recordConfig      = 5
	recordFiles       = 6
	recordMetric      = 12
	recordOutputRaw   = 13
	recordRun         = 17
	recordExit        = 18
	recordUUID        = 19
	recordHeader      = 21
	recordEnvironment = 26
)

// Fields of the messages inside that are read back as well.
const (
	itemKey       = 1
	itemNestedKey = 2
	itemValue     = 16

	itemList    = 1 // of ConfigRecord, SummaryRecord and HistoryRecord
	historyStep = 2
	stepNum     = 1
	metricName  = 1
	outputText  = 3

	runID        = 1
	runEntity    = 2
	runProject   = 3
	runStartTime = 17
)

// A Mark names a record of hone: its attempt and its sequence number, which never
// restarts.
type Mark struct {
	Attempt, Seq int64
}

// After reports whether m's record comes after that of other.
func (m Mark) After(other Mark) bool {
	return m.Attempt > other.Attempt || m.Attempt == other.Attempt && m.Seq > other.Seq
}

const markPrefix = "hone/"

// String is the mark as written in a log.
func (m Mark) String() string { return fmt.Sprintf("%s%d/%d", markPrefix, m.Attempt, m.Seq) }

// ParseMark is the inverse of String. Other writers' uuids are no marks.
func ParseMark(s string) (Mark, bool) {
	rest, ok := strings.CutPrefix(s, markPrefix)
	attempt, seq, slash := strings.Cut(rest, "/")
	if !ok || !slash {
		return Mark{}, false
	}
	var m Mark
	var err error
	if m.Attempt, err = strconv.ParseInt(attempt, 10, 64); err != nil {
		return Mark{}, false
	}
	if m.Seq, err = strconv.ParseInt(seq, 10, 64); err != nil {
		return Mark{}, false
	}
	return m, m.String() == s
}

// A Record is the content of one record of a log.
type Record interface {
	// kind is the record's field in the message Record.
	kind() protowire.Number
	message() message
}

// Encode is the message of a record with its running number, from 1 on, and a
// mark; the zero mark is left out.
func Encode(num int64, r Record, mark Mark) []byte {
	m := message(nil).int64(recordNum, num)
	content := r.message()
	uuid := ""
	if mark != (Mark{}) {
		uuid = mark.String()
	}
	if r.kind() < recordUUID {
		return m.sub(r.kind(), content).text(recordUUID, uuid)
	}
	return m.text(recordUUID, uuid).sub(r.kind(), content)
}

// A Header says who wrote the log. It comes first.
type Header struct {
	Producer    string // name and version of the program
	MinConsumer string // the oldest version of wandb that can read it
}

func (Header) kind() protowire.Number { return recordHeader }
func (h Header) message() message {
	return message(nil).sub(1, message(nil).text(1, h.Producer).text(2, h.MinConsumer))
}

// A Run is what the run is. It comes before all that belongs to it.
type Run struct {
	ID      string // eight of [a-z0-9]
	Entity  string // user or team; empty: the user's default
	Project string
	Config  []Item
	Group   string
	JobType string
	Name    string // as people see it
	Notes   string
	Tags    []string
	Host    string
	Start   time.Time
}

func (Run) kind() protowire.Number { return recordRun }
func (r Run) message() message {
	m := message(nil).text(runID, r.ID).text(runEntity, r.Entity).text(runProject, r.Project)
	if len(r.Config) > 0 {
		m = m.sub(4, items(r.Config))
	}
	m = m.text(6, r.Group).text(7, r.JobType).text(8, r.Name).text(9, r.Notes)
	for _, tag := range r.Tags {
		m = m.element(10, tag)
	}
	return m.text(13, r.Host).time(runStartTime, r.Start)
}

// An Item is a value in JSON (see [JSON]) under a key.
type Item struct {
	Key   []string // one name, or a path into nested objects
	Value string
}

// items are a list's items as those three messages have them.
func items(list []Item) message {
	var m message
	for _, item := range list {
		var one message
		if len(item.Key) == 1 {
			one = one.text(itemKey, item.Key[0])
		} else {
			for _, key := range item.Key {
				one = one.element(itemNestedKey, key)
			}
		}
		m = m.sub(itemList, one.text(itemValue, item.Value))
	}
	return m
}

// A Config adds to or changes the run's settings.
type Config []Item

func (Config) kind() protowire.Number { return recordConfig }
func (c Config) message() message     { return items(c) }

// A Summary changes the run's latest values.
type Summary []Item

func (Summary) kind() protowire.Number { return recordSummary }
func (s Summary) message() message     { return items(s) }

// A History is a row of the run's history. Rows' steps must rise; the step stands
// among the items too, as _step.
type History struct {
	Step  int64
	Items []Item
}

func (History) kind() protowire.Number { return recordHistory }
func (h History) message() message {
	return items(h.Items).sub(historyStep, message(nil).int64(stepNum, h.Step))
}

// A Metric declares a name of the history.
type Metric struct {
	Name string
	// StepMetric is the name that the metric is drawn over; empty: the row's step.
	StepMetric string
	Hidden     bool // no chart is drawn of it unasked
}

func (Metric) kind() protowire.Number { return recordMetric }
func (m Metric) message() message {
	options := message(nil).bool(1, m.StepMetric != "").bool(2, m.Hidden).bool(3, true) // step_sync, hidden, defined
	return message(nil).text(metricName, m.Name).text(4, m.StepMetric).sub(6, options)
}

// Files asks the reader to upload files of the run's folder files/.
type Files []string // paths below files/, with slashes

func (Files) kind() protowire.Number { return recordFiles }
func (f Files) message() message {
	var m message
	for _, path := range f {
		m = m.sub(1, message(nil).text(1, path))
	}
	return m
}

// An Output is console output, newlines included.
type Output struct {
	Text   string
	Stderr bool
	Time   time.Time
}

func (Output) kind() protowire.Number { return recordOutputRaw }
func (o Output) message() message {
	return message(nil).bool(1, !o.Stderr).time(2, o.Time).text(outputText, o.Text)
}

// An Environment is the machine and the program that write.
type Environment struct {
	OS       string
	Started  time.Time
	Args     []string
	Program  string
	Root     string // the run's folder
	Host     string
	CPUs     int64
	WriterID string // what tells this writer of the run from others
}

func (Environment) kind() protowire.Number { return recordEnvironment }
func (e Environment) message() message {
	m := message(nil).text(1, e.OS).time(3, e.Started)
	for _, arg := range e.Args {
		m = m.element(5, arg)
	}
	return m.text(6, e.Program).text(11, e.Root).text(12, e.Host).int64(17, e.CPUs).text(199, e.WriterID)
}

// An Exit ends the log: readers refuse what follows.
type Exit struct {
	Code    int64 // 0: success
	Runtime int64 // seconds
}

func (Exit) kind() protowire.Number { return recordExit }
func (e Exit) message() message     { return message(nil).int64(1, e.Code).int64(2, e.Runtime) }

// Interface guards.
var (
	_ Record = Header{}
	_ Record = Run{}
	_ Record = Config(nil)
	_ Record = Summary(nil)
	_ Record = History{}
	_ Record = Metric{}
	_ Record = Files(nil)
	_ Record = Output{}
	_ Record = Environment{}
	_ Record = Exit{}
)
