package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/honeml/hone/plugins/logger-wandb/offline"
	"github.com/honeml/hone/sdk/logger"
)

// stateFile, in the run's folder, remembers which W&B run it is.
const stateFile = "logger-wandb.json"

type state struct {
	ID     string `json:"run_id"`
	Dir    string `json:"dir"`    // as the block had it, absolute; empty: the run's folder
	Folder string `json:"folder"` // of the offline run; relative to the run's folder where dir is empty
}

// place is the W&B run's ID and its folder. They stay the same for the life of
// the run; another dir gives another folder.
func place(dir string, run *logger.Run) (id, folder string, err error) {
	if dir != "" {
		if dir, err = filepath.Abs(dir); err != nil {
			return "", "", fmt.Errorf("dir: %w", err)
		}
	}
	path := filepath.Join(run.Directory, stateFile)
	known, err := readState(path)
	if err != nil {
		return "", "", err
	}
	if known.ID == "" {
		known.ID = offline.NewID()
	}
	if known.Folder == "" || known.Dir != dir {
		known.Dir, known.Folder = dir, offline.Folder(dir, known.ID, run.Start)
		if dir == "" {
			known.Folder = offline.Folder(run.Directory, known.ID, run.Start)
			if known.Folder, err = filepath.Rel(run.Directory, known.Folder); err != nil {
				return "", "", err
			}
		}
		if err := writeState(path, known); err != nil {
			return "", "", err
		}
	}
	if dir == "" {
		return known.ID, filepath.Join(run.Directory, known.Folder), nil
	}
	return known.ID, known.Folder, nil
}

func readState(path string) (state, error) {
	var s state
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("cannot read which W&B run this is: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s is damaged: %w; without it a new W&B run is begun, with all records", path, err)
	}
	if strings.Trim(s.ID, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return s, fmt.Errorf("%s is damaged: %q is no ID of a run; without it a new W&B run is begun, with all records", path, s.ID)
	}
	return s, nil
}

// writeState replaces the file as a whole.
func writeState(path string, s state) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = os.WriteFile(path+".new", append(data, '\n'), 0o666)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("cannot note which W&B run this is: %w", err)
	}
	return nil
}
