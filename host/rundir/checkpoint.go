package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CheckpointFile is the file of a checkpoint that says where the run stood.
const CheckpointFile = "checkpoint.json"

// A Checkpoint is where a run stood after a step.
type Checkpoint struct {
	Step int64 `json:"step"` // optimizer steps that are done
	// Documents is how many documents of the run, epoch after epoch, the steps
	// have used.
	Documents int64 `json:"documents"`
	// DataFingerprint is that of the data the steps were made of.
	DataFingerprint string `json:"data_fingerprint"`
	// Evaluated says that the evaluation at this step, if one is due, was made and
	// recorded.
	Evaluated bool `json:"evaluated,omitempty"`
	// EvalLoss is the evaluation's loss at this step; nil: none was made.
	EvalLoss *float64 `json:"eval_loss,omitempty"`
	// LastEvalLoss is that of the last evaluation up to this step; nil: none yet.
	LastEvalLoss *float64 `json:"last_eval_loss,omitempty"`
	// Bound is the kernels plugin's plan.
	Bound []byte `json:"bound,omitempty"`
	// Tokens are those that the steps have processed.
	Tokens int64 `json:"tokens"`
	// Packing says whether documents shared micro-batches.
	Packing bool `json:"packing"`

	Path string `json:"-"`
}

// CheckpointPath is the folder of the checkpoint after a step.
func (d *Dir) CheckpointPath(step int64) string {
	return d.Join(CheckpointsName, "step-"+strconv.FormatInt(step, 10))
}

// WriteCheckpoint makes the checkpoint after c.Step; save lets the kernels plugin
// write its files into dir.
func (d *Dir) WriteCheckpoint(c *Checkpoint, save func(dir string) error) error {
	c.Path = d.CheckpointPath(c.Step)
	err := WriteDir(c.Path, func(dir string) error {
		if err := save(dir); err != nil {
			return err
		}
		data, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, CheckpointFile), append(data, '\n'), 0o644)
	})
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", c.Step, err)
	}
	return nil
}

// Checkpoints lists the run's checkpoints, the newest last.
func (d *Dir) Checkpoints() ([]*Checkpoint, error) { return Checkpoints(d.Path) }

// LastCheckpoint is the run's newest checkpoint; nil: it has none.
func (d *Dir) LastCheckpoint() (*Checkpoint, error) {
	all, err := d.Checkpoints()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

// Checkpoints lists the checkpoints of the run in a folder, the newest last.
func Checkpoints(run string) ([]*Checkpoint, error) {
	parent := filepath.Join(run, CheckpointsName)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*Checkpoint
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "step-") {
			continue
		}
		c, err := ReadCheckpoint(filepath.Join(parent, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Checkpoint) int { return int(a.Step - b.Step) })
	return out, nil
}

// ReadCheckpoint reads what a checkpoint's folder says of itself.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	data, err := os.ReadFile(filepath.Join(path, CheckpointFile))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c := &Checkpoint{Path: path}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return c, nil
}

// Prune removes all but the newest keep checkpoints and those whose paths are in
// spare.
func (d *Dir) Prune(keep int, spare ...string) error {
	all, err := d.Checkpoints()
	if err != nil {
		return err
	}
	for _, c := range all[:max(0, len(all)-keep)] {
		if slices.Contains(spare, c.Path) {
			continue
		}
		// Renamed first, so that a crash leaves no half of a checkpoint.
		gone := filepath.Join(filepath.Dir(c.Path), "."+filepath.Base(c.Path)+".new-0")
		if err := os.Rename(c.Path, gone); err != nil {
			return err
		}
		if err := os.RemoveAll(gone); err != nil {
			return err
		}
	}
	return nil
}
