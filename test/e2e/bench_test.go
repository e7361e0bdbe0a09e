//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// quickstartFolder is a workspace with the example in its own folder and hone's
// cache filled.
func quickstartFolder(b *testing.B) *workspace {
	b.Helper()
	w := newWorkspace(b)
	must(b, os.CopyFS(w.path("quickstart"), os.DirFS(quickstart)))
	w.hone(b, 0, "plugins", "list")
	return w
}

// BenchmarkQuickstart is the whole of hone run of the quickstart, and what of it
// passes until the first step is done: processes are started, the model opened, data
// read, and three prompts answered before anything is learned.
func BenchmarkQuickstart(b *testing.B) {
	w := quickstartFolder(b)
	file := filepath.Join("quickstart", "run.hone.hcl")
	var first time.Duration
	n := 0
	for b.Loop() {
		h := w.start(b, "run", file)
		h.awaitText(b, "step 1/")
		first += time.Since(h.begun)
		h.wait(b, 0)
		n++
	}
	b.ReportMetric(first.Seconds()/float64(n)*1e3, "ms/first-step")
}

// BenchmarkValidate is hone validate of the quickstart's run file, process and all.
func BenchmarkValidate(b *testing.B) {
	w := quickstartFolder(b)
	for b.Loop() {
		w.hone(b, 0, "validate", filepath.Join("quickstart", "run.hone.hcl"))
	}
}

// BenchmarkResume is hone run -resume of a run that has come to its end: what it
// takes until a run goes on, and its end.
func BenchmarkResume(b *testing.B) {
	w := newWorkspace(b)
	w.hone(b, 0, "run", w.write(b, "run.hone.hcl", usual()), "-run-dir", "runs/usual")
	for b.Loop() {
		w.hone(b, 0, "run", "-resume", "runs/usual")
	}
}
