package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A fakeServer answers wandb sync as W&B's server does, as far as an upload goes,
// and keeps what it was sent.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	run      map[string]any // of the first UpsertBucket
	history  []string       // lines, by their offset
	uploads  map[string]int // sizes of files
	exitCode any
}

func newFakeServer(t *testing.T) *fakeServer {
	f := &fakeServer{uploads: map[string]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var answer any = map[string]any{}
	switch {
	case r.URL.Path == "/graphql":
		answer = map[string]any{"data": f.graphql(data)}
	case strings.HasSuffix(r.URL.Path, "/file_stream"):
		f.stream(data)
	case r.Method == http.MethodPut:
		f.uploads[strings.TrimPrefix(r.URL.Path, "/upload/")] = len(data)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

type object = map[string]any

func (f *fakeServer) graphql(data []byte) any {
	var request struct {
		Query     string
		Variables object
	}
	_ = json.Unmarshal(data, &request)
	v := request.Variables
	switch {
	case strings.Contains(request.Query, "upsertBucket"):
		if f.run == nil {
			f.run = v
		}
		return object{"upsertBucket": object{"inserted": true, "bucket": object{
			"id": "1", "name": v["name"], "displayName": v["displayName"], "config": "{}", "historyLineCount": 0,
			"project": object{"id": "2", "name": v["project"], "entity": object{"id": "3", "name": v["entity"]}},
		}}}
	case strings.Contains(request.Query, "createRunFiles"):
		return object{"createRunFiles": object{"runID": "1", "uploadHeaders": []any{}, "files": f.places(v, "uploadUrl")}}
	case strings.Contains(request.Query, "uploadHeaders"):
		var edges []any
		for _, place := range f.places(v, "url") {
			edges = append(edges, object{"node": place})
		}
		return object{"model": object{"bucket": object{"id": "1", "files": object{"uploadHeaders": []any{}, "edges": edges}}}}
	}
	return object{
		"serverInfo": object{"features": []any{}},
		"viewer":     object{"id": "4", "entity": "team", "username": "me", "flags": "{}", "teams": object{"edges": []any{}}},
	}
}

// places says where to put the files that a request names.
func (f *fakeServer) places(variables object, key string) []any {
	var list []any
	files, _ := variables["files"].([]any)
	for _, name := range files {
		list = append(list, object{"name": name, key: fmt.Sprintf("%s/upload/%s", f.URL, name)})
	}
	return list
}

func (f *fakeServer) stream(data []byte) {
	var request struct {
		Files map[string]struct {
			Offset  int
			Content []string
		}
		ExitCode any
	}
	_ = json.Unmarshal(data, &request)
	for i, line := range request.Files["wandb-history.jsonl"].Content {
		at := request.Files["wandb-history.jsonl"].Offset + i
		for len(f.history) <= at {
			f.history = append(f.history, "")
		}
		f.history[at] = line
	}
	if request.ExitCode != nil {
		f.exitCode = request.ExitCode
	}
}

// TestWandbSync uploads the run to a fake server with both of wandb's clients: the
// Python one of wandb sync, and wandb-core.
func TestWandbSync(t *testing.T) {
	python(t)
	for _, command := range []string{"sync", "beta sync"} {
		t.Run(command, func(t *testing.T) {
			folder := threeLives(t)
			server := newFakeServer(t)
			args := append([]string{"-m", "wandb"}, append(strings.Fields(command), folder)...)
			cmd := exec.CommandContext(t.Context(), python(t), args...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "WANDB_BASE_URL="+server.URL,
				"WANDB_API_KEY="+strings.Repeat("0123456789", 4), "WANDB_ERROR_REPORTING=false", "NO_PROXY=127.0.0.1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			checkUpload(t, server, folder)
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

func checkUpload(t *testing.T, server *fakeServer, folder string) {
	t.Helper()
	check(t, "run", fmt.Sprint(server.run["name"], server.run["project"], server.run["entity"], server.run["displayName"], server.run["tags"]),
		fmt.Sprint(folder[len(folder)-8:], "support-r16", "team", "support", []string{"a", "ü"}))
	var steps []string
	field := regexp.MustCompile(`"(_step|train/global_step)": ?(\d+)`)
	for _, line := range server.history {
		found := map[string]string{}
		for _, m := range field.FindAllStringSubmatch(line, -1) {
			found[m[1]] = m[2]
		}
		steps = append(steps, found["_step"]+"@"+found["train/global_step"])
	}
	check(t, "history", strings.Join(steps, " "), "1@1 2@2 3@3 4@4 5@5 6@4 7@5 8@6")
	check(t, "exit code", server.exitCode, any(0.0))
	var names []string
	for name := range server.uploads {
		names = append(names, strings.SplitN(filepath.Base(name), "_", 2)[0])
	}
	for _, want := range []string{"sample", "answers", "plot", "config.yaml", "wandb-summary.json", "output.log"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s was not uploaded: %v", want, names)
		}
	}
}
