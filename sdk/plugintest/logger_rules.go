package plugintest

import (
	"bytes"
	"image"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/honeml/hone/sdk/logger"
)

// loggerRules are the rules in the order in which they are run.
func loggerRules() []rule[*loggerKit] {
	return []rule[*loggerKit]{
		{"logger/describe", "it says its name, its version and how it takes a rewind, each time the same", loggerDescribe},
		{"logger/schema-valid", "the schema of its block is valid and documented", loggerSchema},
		{"logger/unknown-setting-refused", "a setting that its schema lacks is refused with a diagnostic at its name", loggerUnknownSetting},
		{"logger/open-fresh", "in a new folder it says that it has no record", loggerFresh},
		{"logger/open-reports-last", "opened again, it says which record it has last", loggerLast},
		{"logger/every-kind", "it takes records of every kind, and numbers that are not finite", loggerKinds},
		{"logger/no-doubles", "a record that comes twice stands once", loggerDoubles},
		{"logger/rewind", "it takes the records of a run that went back to an earlier step", loggerRewind},
		{"logger/many-records", "it takes thousands of records in one call and in many", loggerMany},
		{"logger/survives-kill", "what Log has returned for is there after its process was killed", loggerKilled},
		{"logger/out-of-order-refused", "Log before Open is an error", loggerOutOfOrder},
		{"logger/bad-folder", "a folder that cannot be written to is an error of Open", loggerBadFolder},
		{"logger/close", "every way in which a run ends can be closed with, also without a record", loggerClose},
	}
}

func loggerDescribe(c *check, k *loggerKit) {
	d := k.description
	checkNameAndVersion(c, d.Name, d.Version)
	if !knownRewind(d.Rewind) {
		c.fail("the rewind %q is none of %q", d.Rewind, rewinds())
	}
	within(c, "capabilities", d.Capabilities, nil)
	again, err := start(c, k.start).Service.Describe(c)
	c.must(err, "Describe")
	if !reflect.DeepEqual(again, d) {
		c.fail("it describes itself as %+v and as %+v", *d, *again)
	}
}

func loggerSchema(c *check, k *loggerKit) {
	c.must(k.description.Schema.Validate(), "the schema")
	for _, a := range k.description.Schema.Attributes {
		if _, given := k.options.Config[a.Name]; a.Required && !given {
			c.fail("attribute %q is required, LoggerOptions.Config does not give it", a.Name)
		}
	}
}

func loggerUnknownSetting(c *check, k *loggerKit) {
	const name = "no_such_setting"
	run := k.run(c)
	run.Config = map[string]any{name: 1.0}
	maps.Copy(run.Config, k.options.Config)
	_, err := start(c, k.start).Service.Open(c, run)
	mustDiagnose(c, err, name, "Open")
}

// isLast fails the rule unless the logger said that it has that record last.
func (l *life) isLast(attempt, seq int64) {
	if l.opened.Attempt != attempt || l.opened.Seq != seq {
		l.c.fail("it says that it has the record %d of attempt %d last, it has to be %d of %d", l.opened.Seq, l.opened.Attempt, seq, attempt)
	}
}

func loggerFresh(c *check, k *loggerKit) {
	k.open(c, k.run(c)).isLast(0, 0)
}

func loggerLast(c *check, k *loggerKit) {
	run := k.run(c)
	l := k.open(c, run)
	l.log(records(1, 1, 3, 0)...)
	l.log(records(1, 4, 5, 0)...)
	l.end()
	l = k.open(c, run)
	l.isLast(1, 5)
	l.log(records(1, 6, 6, 0)...)
	l.end()
	run.Attempt = 2
	l = k.open(c, run)
	l.isLast(1, 6)
	l.log(records(2, 7, 8, 3)...)
	l.end()
	k.open(c, run).isLast(2, 8)
}

func loggerKinds(c *check, k *loggerKit) {
	run := k.run(c)
	picture := filepath.Join(run.Directory, "picture.png")
	c.must(os.WriteFile(picture, dot(c), 0o644), "writing an image")
	all := records(1, 1, 6, 0)
	all[0].Scalars["x"], all[0].Scalars["y"], all[0].Scalars["z"] = math.NaN(), math.Inf(1), math.Inf(-1)
	all[1].Texts = map[string]string{"eval/prompt 1": "zwölf\n\tBoxkämpfer \U0001F600", "empty": ""}
	all[2].Histograms = map[string]logger.Histogram{
		"grad": {Edges: []float64{-1, 0, 2.5}, Counts: []float64{3, 4}, Sum: 1.5, SumSquares: 7},
	}
	all[3].Images = map[string]string{"sample": picture}
	all[4].Tables = map[string]logger.Table{"t": {Columns: []string{"prompt", "answer"}, Rows: [][]string{{"a", "b"}, {"c", "d"}}}}
	all[5].Scalars = nil // a record of nothing
	l := k.open(c, run)
	for i, r := range all {
		c.must(l.instance.Service.Log(c, []logger.Record{r}), "Log of record %d: %+v", i+1, r)
	}
	l.end()
	k.open(c, run).isLast(1, 6)
}

// dot is a PNG of one pixel.
func dot(c *check) []byte {
	var out bytes.Buffer
	c.must(png.Encode(&out, image.NewGray(image.Rect(0, 0, 1, 1))), "making an image")
	return out.Bytes()
}

// loggerDoubles compares two runs of two lives each: in one, the second life is given
// again what the first one had.
func loggerDoubles(c *check, k *loggerKit) {
	const last = 6
	lives := func(again int64) map[int64]int {
		run := k.run(c)
		l := k.open(c, run)
		l.log(records(1, 1, 4, 0)...)
		l.end()
		l = k.open(c, run)
		l.log(records(1, again, last, 0)...)
		l.log(records(1, again, last, 0)...) // and once more within a life
		l.end()
		k.open(c, run).isLast(1, last)
		return k.count(c, run, last)
	}
	once, twice := lives(5), lives(1)
	seen := 0
	for seq := int64(1); seq <= last; seq++ {
		seen += once[seq]
		if once[seq] != twice[seq] {
			c.fail("record %d stands %d times where it was given again, %d times where it was not", seq, twice[seq], once[seq])
		}
		if k.options.Read != nil && once[seq] != 1 {
			c.fail("record %d stands %d times", seq, once[seq])
		}
	}
	if seen == 0 {
		c.skip("the run's folder does not show what it logs, and LoggerOptions has no Read")
	}
}

func loggerRewind(c *check, k *loggerKit) {
	run := k.run(c)
	l := k.open(c, run)
	l.log(records(1, 1, 9, 0)...)
	l.end()
	run.Attempt = 2
	l = k.open(c, run)
	l.isLast(1, 9)
	l.log(records(2, 10, 14, 5)...) // steps 5 to 9 again
	l.end()
	k.open(c, run).isLast(2, 14)
	if k.options.Read == nil {
		return
	}
	counts := k.count(c, run, 14)
	for seq := int64(10); seq <= 14; seq++ {
		if counts[seq] != 1 {
			c.fail("record %d, of the second attempt, stands %d times", seq, counts[seq])
		}
	}
}

func loggerMany(c *check, k *loggerKit) {
	run := k.run(c)
	l := k.open(c, run)
	const last = 3000
	all := records(1, 1, last, 0)
	for i, r := range all {
		if i%250 != 0 {
			delete(all[i].Scalars, marker(r.Seq)) // a logger may keep a list of names
		}
	}
	l.log(all[:2000]...)
	for chunk := range slices.Chunk(all[2000:], 10) {
		l.log(chunk...)
	}
	l.log()
	l.end()
	k.open(c, run).isLast(1, last)
	counts := k.count(c, run, last)
	for _, r := range all {
		_, marked := r.Scalars[marker(r.Seq)]
		if counts[r.Seq] == 0 && (k.options.Read != nil || marked && counts[1] > 0) {
			c.fail("record %d is not there, others are", r.Seq)
		}
	}
}

func loggerKilled(c *check, k *loggerKit) {
	run := k.run(c)
	first := k.open(c, run)
	if first.instance.Kill == nil {
		c.skip("it has no process of its own here")
	}
	first.log(records(1, 1, 7, 0)...)
	c.must(first.instance.Kill(), "killing it")
	second := k.open(c, run)
	second.isLast(1, 7)
	second.log(records(1, 5, 9, 0)...)
	c.must(second.instance.Kill(), "killing it again")
	k.open(c, run).isLast(1, 9)
	if k.options.Read == nil {
		return
	}
	for seq, n := range k.count(c, run, 9) {
		if n != 1 {
			c.fail("record %d stands %d times", seq, n)
		}
	}
}

func loggerOutOfOrder(c *check, k *loggerKit) {
	if err := start(c, k.start).Service.Log(c, records(1, 1, 1, 0)); err == nil {
		c.fail("Log before Open is taken")
	}
}

func loggerBadFolder(c *check, k *loggerKit) {
	run := k.run(c)
	file := filepath.Join(run.Directory, "file")
	c.must(os.WriteFile(file, nil, 0o644), "writing a file")
	run.Directory = filepath.Join(file, "below")
	if _, err := start(c, k.start).Service.Open(c, run); err == nil {
		c.fail("Open of a folder below a file is taken")
	}
}

func loggerClose(c *check, k *loggerKit) {
	for _, status := range []logger.Status{{State: "finished"}, {State: "failed", Reason: "the loss is not finite"}, {State: "interrupted"}} {
		for _, n := range []int64{0, 3} {
			run := k.run(c)
			l := k.open(c, run)
			l.log(records(1, 1, n, 0)...)
			c.must(l.instance.Service.Close(c, status), "Close of a run of %d records that %s", n, status.State)
			if n > 0 {
				k.open(c, run).isLast(1, n)
			}
		}
	}
}
