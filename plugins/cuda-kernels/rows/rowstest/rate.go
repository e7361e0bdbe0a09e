package rowstest

import (
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
)

// A Task is launches that are timed.
type Task struct {
	Name  string
	Bytes int64 // what they must read and write
	Run   func()
}

// Rates reports the bytes a second of each task.
func Rates(b *testing.B, bench *devicetest.Bench, tasks []Task) {
	b.Helper()
	for _, task := range tasks {
		b.Run(task.Name, func(b *testing.B) {
			best := 0.0
			for b.Loop() {
				best = max(best, float64(task.Bytes)/bench.Seconds(10, task.Run))
			}
			b.ReportMetric(best/1e9, "GB/s")
			b.ReportMetric(float64(task.Bytes)/best*1e6, "µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}
