package runfile_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
)

const fuzzSecret = "s3cr3t-fuzz-v4lue"

// FuzzLoad holds any text to: an end, no panic, diagnostics that can be written,
// no secret in them, and a run that survives its own JSON.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.hcl", "testdata/bad/*.hcl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "budget.hcl") {
				continue // which takes as long as anything can
			}
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), "rank=8")
		}
	}
	const smallest = "run \"x\" {\nmodel { source = \"model\" }\ndata \"train\" { source = \"data.jsonl\" }\ntrain { epochs = 1 }\n"
	for _, more := range []string{
		`logger "wandb" { tags = [for i in range(9) : "${i}-${env("KEY")}"] }`, `seed = 1e600000000 % 7`, `metric "m" { value = loss > 1 ? -loss : log(loss, 2) }`,
		`evaluate { prompts = split("", join(file("data.jsonl"), ["a", "b"])) }`, `adapter "lora" { targets = keys({ (env("KEY")) = 1 }) }`,
		"logger \"wandb\" {\nlabels = { for k, v in { a = 1 } : upper(k) => v... }\n}", `kernels "cpu" { memory_limit = format("%03dGiB", 5) }`,
		"checkpoint {\nevery = try(max([1, 2]...), 5)\n}", "data \"eval\" { fraction = jsondecode(\"0.5\") }", "train \"x\" \"y\" {}",
	} {
		f.Add(smallest+more+"\n}\n", "a=[1, {b = true}]")
	}
	f.Add("variable \"a\" { type = object({b = optional(list(number), [1])}) }\n"+smallest+"seed = var.a.b[0]\n}\n", "a={b = [5]}")
	dir := f.TempDir()
	for name, text := range map[string]string{"model/config.json": "{}", "data.jsonl": "{}\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text, flag string) {
		if strings.Contains(text+flag, fuzzSecret) {
			t.Skip("the input holds the secret")
		}
		path := filepath.Join(t.TempDir(), "run.hcl")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		options := runfile.Options{
			Plugins: plugins{}, WorkDir: dir, Vars: []string{flag},
			LookupEnv: func(name string) (string, bool) { return fuzzSecret, name == "KEY" },
		}
		run, diags := runfile.Load(t.Context(), path, options)
		var out bytes.Buffer
		if err := diags.Write(&out, 78, true); err != nil {
			t.Fatal(err)
		}
		if (run == nil) != diags.HasErrors() || len(diags.List) > 31 {
			t.Fatalf("a run: %v, with %d diagnostics:\n%s", run != nil, len(diags.List), &out)
		}
		if run != nil {
			data, err := json.Marshal(run)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(data)
			var again runfile.Run
			if err := json.Unmarshal(data, &again); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			if differences := run.Resumable(&again); len(differences) > 0 {
				t.Fatalf("%s: %v", data, differences)
			}
		}
		if strings.Contains(out.String(), fuzzSecret) {
			t.Fatalf("it shows the secret:\n%s", &out)
		}
		if formatted, diags := runfile.Format("x", []byte(text)); !diags.HasErrors() {
			if again, diags := runfile.Format("x", formatted); diags.HasErrors() || len(again) == 0 && len(formatted) > 0 {
				t.Fatalf("formatted, it cannot be read: %v\n%s", diags.Err(), formatted)
			}
		}
	})
}

// FuzzRunJSON holds any JSON to: no panic, and a run that is written as it was
// read.
func FuzzRunJSON(f *testing.F) {
	for _, blocks := range []string{``, `adapter "full" {}`, "metric \"m\" { value = loss }\nlogger \"wandb\" { tags = [env(\"KEY\"), \"a\"] }"} {
		data, err := json.Marshal(mustLoad(f, blocks))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var run runfile.Run
		if json.Unmarshal(data, &run) != nil {
			return
		}
		first, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		var again runfile.Run
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v:\n%s\n%s", err, first, second)
		}
		if err := run.RestoreSecrets(func(string) (string, bool) { return "x", true }); err != nil && len(err.Error()) == 0 {
			t.Error("an error without a text")
		}
	})
}

// BenchmarkLoad loads the example of the documentation.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if run, diags := loadFile(b, "testdata/good/design.hcl"); run == nil {
			b.Fatal(diags.Err())
		}
	}
}
