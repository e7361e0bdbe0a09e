package plugintest

import (
	"errors"
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// Kernels tests a kernels backend in process and over gRPC. create makes a fresh one.
func Kernels(t *testing.T, create func() kernels.Backend, o KernelsOptions) {
	t.Helper()
	t.Run("in process", func(t *testing.T) { testKernels(t, InProcess(create), o) })
	t.Run("over gRPC", func(t *testing.T) { testKernels(t, OverGRPC(create), o) })
}

// Model tests a model plugin in process and over gRPC. create makes a fresh one.
func Model(t *testing.T, create func() model.Model, o ModelOptions) {
	t.Helper()
	t.Run("in process", func(t *testing.T) { testModel(t, InProcess(create), o) })
	t.Run("over gRPC", func(t *testing.T) { testModel(t, OverGRPC(create), o) })
}

// Logger tests a logger plugin in process and over gRPC. create makes a fresh one.
func Logger(t *testing.T, create func() logger.Logger, o LoggerOptions) {
	t.Helper()
	t.Run("in process", func(t *testing.T) { testLogger(t, InProcess(create), o) })
	t.Run("over gRPC", func(t *testing.T) { testLogger(t, OverGRPC(create), o) })
}

// Program tests a built binary, in processes of its own, as a plugin of o.Kind, or of
// the kind that its file's name says.
func Program(t *testing.T, path string, o Options) {
	t.Helper()
	if o.Kind == "" {
		var err error
		if o.Kind, err = kindOf(path); err != nil {
			t.Fatal(err)
		}
	}
	testRules(t, processRules(), path, selection{})
	switch o.Kind {
	case plugin.Model:
		testModel(t, Binary[model.Model](path), o.Model)
	case plugin.Kernels:
		testKernels(t, Binary[kernels.Backend](path), o.Kernels)
	case plugin.Logger:
		testLogger(t, Binary[logger.Logger](path), o.Logger)
	default:
		t.Fatalf("there is no kind of plugins %q", o.Kind)
	}
}

func testKernels(t *testing.T, begin Start[kernels.Backend], o KernelsOptions) {
	t.Helper()
	k, err := openKernelsKit(t.Context(), begin, o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.remove()
	testRules(t, kernelsRules(), k, selection{o.Skip, o.Only})
}

func testModel(t *testing.T, begin Start[model.Model], o ModelOptions) {
	t.Helper()
	k, err := openModelKit(t.Context(), begin, o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	testRules(t, modelRules(), k, selection{o.Skip, o.Only})
}

func testLogger(t *testing.T, begin Start[logger.Logger], o LoggerOptions) {
	t.Helper()
	k, err := openLoggerKit(t.Context(), begin, o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	testRules(t, loggerRules(), k, selection{o.Skip, o.Only})
}

// testRules runs each rule as a subtest. One that does not apply is no skipped test: it
// says so in the test's log.
func testRules[K any](t *testing.T, rules []rule[K], k K, s selection) {
	t.Helper()
	for _, r := range rules {
		if s.leavesOut(r.id) {
			continue
		}
		t.Run(r.id, func(t *testing.T) {
			switch outcome, detail := runRule(t.Context(), r, k); outcome {
			case Failed:
				t.Error(errors.New("broken: " + r.sentence + "\n" + detail))
			case Skipped:
				t.Log("does not apply: " + detail)
			}
		})
	}
}
