package offline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// metadata is the file wandb-metadata.json.
type metadata struct {
	OS        string    `json:"os"`
	StartedAt time.Time `json:"startedAt"`
	Program   string    `json:"program"`
	Root      string    `json:"root"`
	Host      string    `json:"host"`
	CPUs      int       `json:"cpuCountLogical"`
	WriterID  string    `json:"writerId"`
}

// writeFiles writes the files that tell people what the log says. That costs a
// millisecond a file, and an upload writes them anew from the log, so it is done
// at a run's start and end alone.
func (r *Run) writeFiles() error {
	host, _ := os.Hostname()
	machine, err := json.MarshalIndent(metadata{
		OS: runtime.GOOS + "-" + runtime.GOARCH, StartedAt: r.settings.Start.UTC(), Program: "hone",
		Root: r.settings.Directory, Host: host, CPUs: runtime.NumCPU(), WriterID: r.settings.ID,
	}, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"config.yaml":         configYAML(nested(r.settings.Config)),
		"wandb-metadata.json": append(machine, '\n'),
		"wandb-summary.json":  []byte(r.summary.json() + "\n"),
		"output.log":          r.console,
	} {
		if err := replaceFile(filepath.Join(r.folder, "files", name), content); err != nil {
			return fmt.Errorf("cannot write a file of the W&B run: %w", err)
		}
	}
	return nil
}
