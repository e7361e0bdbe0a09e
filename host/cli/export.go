package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// exportFolder is where exports go in the run's folder.
const exportFolder = "export"

// exportOptions say how a run is exported.
type exportOptions struct {
	out        string // folder; "": in the run's folder
	dtype      string // of the weights; "": as the base holds them
	shardBytes int64
	step       int64
}

func (a *app) exportCommand() *cobra.Command {
	var o exportOptions
	var shard string
	cmd := &cobra.Command{
		Use:   "export RUN merged",
		Short: "Make a model of a run's result that other programs load",
		Args:  exactly(2, "the folder of a run and what to make: merged"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.shardBytes, err = config.ParseBytes(shard); err != nil {
				return usageError{fmt.Errorf("-shard-size: %w", err)}
			}
			if o.step < 0 {
				return usageError{fmt.Errorf("-step %d: steps are counted from 1", o.step)}
			}
			if err := newFolder(o.out); err != nil {
				return err
			}
			path, err := a.exportRun(cmd.Context(), args[0], args[1], o)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Out, relative(path))
			return nil
		},
	}
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "the `folder` to write; without it RUN/export/merged")
	cmd.Flags().StringVar(&o.dtype, "dtype", "", "the `type` of the weights: float32, bfloat16 or float16; without it as the base holds them, quantised ones as float32")
	cmd.Flags().StringVar(&shard, "shard-size", "5GB", "the most a file holds")
	cmd.Flags().Int64Var(&o.step, "step", 0, "take the checkpoint of a `step` instead of the result")
	return cmd
}

// exportRun makes what kind names of a run and returns its path.
func (a *app) exportRun(ctx context.Context, dir, kind string, o exportOptions) (string, error) {
	if kind != runfile.ExportMerged {
		return "", usageError{fmt.Errorf("hone cannot export %q; it can export %s", kind, runfile.ExportMerged)}
	}
	t, err := a.findTrained(dir, o.step)
	if err != nil {
		return "", err
	}
	m, err := a.openModel(ctx, modelOf(t.run, t.run.Train.MaxLength))
	if err != nil {
		return "", err
	}
	defer m.Close()
	if o.out == "" {
		o.out = filepath.Join(dir, exportFolder, kind)
	}
	return o.out, a.merge(ctx, t, m, o)
}

// newFolder fails where something stands at a path that an export would replace. ""
// is the place in the run's folder, where an earlier export may be.
func newFolder(path string) error {
	if path == "" {
		return nil
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fault.New(fault.BadInput, "%s cannot be made a folder: %w", path, err)
	}
	return fault.New(fault.BadInput, "%s is there already, and not empty", path).
		WithHint("exports go into a new folder; remove this one, or name another")
}

// exportsMade fails where a run file asks for an export that hone does not make.
func exportsMade(run *runfile.Run) error {
	for _, e := range run.Exports {
		if e.Kind != runfile.ExportMerged {
			return fault.New(fault.Unsupported, "export %q: this hone makes %q alone", e.Kind, runfile.ExportMerged)
		}
	}
	return nil
}

// exportable fails where an export of the run file would be refused at the run's
// end.
func (s *session) exportable() error {
	if err := exportsMade(s.run); err != nil {
		return err
	}
	for _, e := range s.run.Exports {
		if err := newFolder(e.Path); err != nil {
			return fmt.Errorf("export %q: %w", e.Kind, err)
		}
	}
	return nil
}

func (a *app) merge(ctx context.Context, t *trained, m *basemodel.Model, o exportOptions) error {
	g, err := t.mark(m)
	if err != nil {
		return err
	}
	dt, err := weightType(o.dtype)
	if err != nil {
		return err
	}
	values, err := weights.Open(trainedFile(t.folder))
	if err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	defer values.Close()
	display := a.display(false)
	defer display.Close()
	return rundir.WriteDir(o.out, func(folder string) error {
		untied, err := export.Merge(ctx, export.MergeSpec{
			Graph: g, Layout: m.Layout, Checkpoint: m.Checkpoint, Trained: values, Folder: folder, ShardBytes: o.shardBytes, DType: dt,
			Progress: func(done, total int64) {
				display.Emit(ui.Event{Kind: ui.Progress, Message: "merging", Done: done, Total: total})
			},
		})
		if err != nil {
			return err
		}
		return writeModelFiles(m, folder, dt, untied)
	})
}

// trainedFile is the file of trained values in a result or a checkpoint.
func trainedFile(folder string) string {
	if path := filepath.Join(folder, kernels.AdapterFile); exists(path) {
		return path
	}
	return filepath.Join(folder, kernels.TrainedFile)
}

// weightType reads a -dtype.
func weightType(name string) (weights.DType, error) {
	switch name {
	case "":
		return dtype.Unknown, nil
	case "float32":
		return dtype.F32, nil
	case "bfloat16":
		return dtype.BF16, nil
	case "float16":
		return dtype.F16, nil
	}
	return dtype.Unknown, usageError{fmt.Errorf("-dtype %q: want float32, bfloat16 or float16", name)}
}

// writeModelFiles writes configuration and tokenizer beside merged weights.
func writeModelFiles(m *basemodel.Model, folder string, dt weights.DType, untied bool) error {
	name := m.StoredType
	switch {
	case dt == dtype.BF16:
		name = "bfloat16"
	case dt == dtype.F16:
		name = "float16"
	case dt == dtype.F32, name != "bfloat16" && name != "float16":
		name = "float32"
	}
	// Readers of old and of new configurations look for different keys.
	changes := map[string]any{"torch_dtype": name, "dtype": name, "quantization_config": nil}
	if untied {
		changes["tie_word_embeddings"] = false
	}
	if m.Grown > 0 {
		changes["vocab_size"] = m.Graph.IDs()
	}
	text, err := m.Text()
	if err != nil {
		return err
	}
	for key, name := range map[string]string{"bos_token_id": "bos_token", "eos_token_id": "eos_token", "pad_token_id": "pad_token"} {
		if id, ok := text.Tokenizer.TokenID(text.Special[name]); ok && m.Folder == "" && text.Special[name] != "" {
			changes[key] = id
		}
	}
	if err := export.WriteConfiguration(filepath.Join(folder, "config.json"), m.Configuration, changes); err != nil {
		return err
	}
	return writeText(m, text, folder)
}

// writeText writes what a model's text is read with: as its folder has it, unless
// tokens were added.
func writeText(m *basemodel.Model, text *basemodel.Text, folder string) error {
	if m.Folder == "" {
		return writeTokenizer(text, folder)
	}
	if err := export.CopyTokenizer(m.Folder, folder); err != nil || m.Known == 0 {
		return err
	}
	return writeTokenizerFiles(text, folder)
}

// writeTokenizerFiles writes a tokenizer and its configuration.
func writeTokenizerFiles(text *basemodel.Text, folder string) error {
	config, err := text.Config.Marshal()
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(folder, "tokenizer.json"), text.Tokenizer.MarshalTokenizerJSON(), 0o644)
	if len(text.Config.Fields) > 0 {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, "tokenizer_config.json"), config, 0o644))
	}
	return err
}

// writeTokenizer writes a tokenizer that came out of a GGUF file.
func writeTokenizer(text *basemodel.Text, folder string) error {
	err := writeTokenizerFiles(text, folder)
	if !text.Templates.Found() {
		return err
	}
	template, chooseErr := text.Templates.Choose("", false)
	if chooseErr != nil {
		return errors.Join(err, chooseErr)
	}
	return errors.Join(err, os.WriteFile(filepath.Join(folder, "chat_template.jinja"), []byte(template), 0o644))
}
