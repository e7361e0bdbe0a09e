package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/config"
)

// settings is the plugin's block.
type settings struct {
	LogDir string `config:"log_dir"`
}

func schema() config.Schema {
	return config.Schema{Attributes: []config.Attribute{{
		Name: "log_dir", Type: config.Of(config.String), Path: true,
		Doc: "Folder in which the run gets a folder of its own, named as the run's; several runs beside each other are compared " +
			"by tensorboard --logdir. By default the event files go to the folder tensorboard of the run.",
	}}}
}

// stateFile, in the run's folder, remembers the folder that a run got below its
// log_dir: a second run of the same name must not take it for its own.
const stateFile = "logger-tensorboard.json"

type state struct {
	LogDir    string `json:"log_dir"`
	Directory string `json:"directory"`
}

// eventFolder is where the run's event files go.
func eventFolder(s settings, runDirectory string) (string, error) {
	if s.LogDir == "" {
		return filepath.Join(runDirectory, "tensorboard"), nil
	}
	logDir, err := filepath.Abs(s.LogDir)
	if err != nil {
		return "", fmt.Errorf("log_dir: %w", err)
	}
	path := filepath.Join(runDirectory, stateFile)
	known, err := readState(path)
	if err != nil {
		return "", err
	}
	if known.LogDir == logDir && known.Directory != "" {
		return known.Directory, nil
	}
	dir, err := unusedFolder(filepath.Join(logDir, filepath.Base(runDirectory)))
	if err != nil {
		return "", err
	}
	return dir, writeState(path, state{LogDir: logDir, Directory: dir})
}

func readState(path string) (state, error) {
	var s state
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("cannot read where the run's event files are: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s is damaged: %w; without it the run's events are written anew", path, err)
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
		return fmt.Errorf("cannot note where the run's event files are: %w", err)
	}
	return nil
}

// unusedFolder is path, or path with the first number behind it under which
// there is nothing yet.
func unusedFolder(path string) (string, error) {
	for n := 1; ; n++ {
		candidate := path
		if n > 1 {
			candidate = fmt.Sprintf("%s-%d", path, n)
		}
		entries, err := os.ReadDir(candidate)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
			return candidate, nil
		case err != nil:
			return "", fmt.Errorf("log_dir: %w", err)
		}
	}
}
