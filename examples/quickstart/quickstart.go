// Package quickstart is the example that the program carries with it: a very
// small language model, which hone trained itself (see recipe), a run file and a
// set of questions and answers that teach it to speak like a pirate.
package quickstart

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed run.hone.hcl lessons.jsonl model
var files embed.FS

// RunFile is the name of the run file in the folder that Write fills.
const RunFile = "run.hone.hcl"

// Write puts the example's files into folder. Files that are there already stay
// as they are, so that changes to the example survive.
func Write(folder string) error {
	return fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(folder, filepath.FromSlash(path))
		if e.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if os.IsExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	})
}
