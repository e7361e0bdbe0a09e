package evaluate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// outsideFunctions look at files, paths and the environment.
func (e *Evaluator) outsideFunctions() []Function {
	plain := func(f func(string) string) function.Function {
		return pathFunction(func(p string) (string, error) { return f(p), nil })
	}
	return []Function{
		{"abspath", "abspath(path)", "The path from the root on; relative ones start at the run file's folder.", plain(e.Path)},
		{"basename", "basename(path)", "The last part of a path.", plain(filepath.Base)},
		{"dirname", "dirname(path)", "A path without its last part.", plain(filepath.Dir)},
		{"env", "env(name) or env(name, default)", "A variable of the environment, as a sensitive value; null, or the default, where it is not set.", e.envFunction()},
		{"file", "file(path)", "The text of a file of at most 1 MiB; relative paths start at the run file's folder.", pathFunction(e.readFile)},
		{"pathexpand", "pathexpand(path)", "The path with a leading ~ replaced by the home folder.", plain(e.ExpandHome)},
	}
}

func pathFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			return cty.StringVal(s), err
		},
	})
}

// envFunction gives variables of the environment, marked as what they are.
func (e *Evaluator) envFunction() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String, AllowNull: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, fmt.Errorf("it takes a name and a default")
			}
			name := args[0].AsString()
			if name == "" || strings.ContainsAny(name, "=\x00") {
				return cty.NilVal, function.NewArgErrorf(0, "%q is no name of a variable", name)
			}
			mark := Secret{Env: name}
			if s, ok := e.lookupEnv(name); ok {
				e.keep(s)
				return cty.StringVal(strings.ToValidUTF8(s, "\uFFFD")).Mark(mark), nil
			}
			if len(args) == 2 {
				return args[1].Mark(mark), nil
			}
			return cty.NullVal(cty.String).Mark(mark), nil
		},
	})
}

// Path is a path that starts at the evaluator's folder, or at the home folder
// where it begins with ~.
func (e *Evaluator) Path(path string) string {
	path = e.ExpandHome(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.dir, path)
	}
	return filepath.Clean(path)
}

// ExpandHome replaces a leading ~ by the home folder, as the environment has it.
func (e *Evaluator) ExpandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, `~\`) {
		return path
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home, ok := e.lookupEnv(name); ok && home != "" {
			return filepath.Join(home, path[1:])
		}
	}
	return path
}

func (e *Evaluator) readFile(path string) (string, error) {
	data, err := ReadFile(e.Path(path), MaxStringBytes)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is no text file: it is not UTF-8", path)
	}
	return string(data), nil
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path) // before opening: opening a pipe waits for its writer
	if err != nil {
		return nil, reason(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, nil
}

// reason is an error of the file system without the name of the system's call.
func reason(path string, err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
