package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

// TestMain makes the test binary the plugin where a host starts it.
func TestMain(m *testing.M) {
	if os.Getenv(plugin.CookieName) == plugin.CookieValue {
		main()
	}
	os.Exit(m.Run())
}

// start starts the plugin as a process of its own.
func start(t *testing.T) (logger.Logger, *exec.Cmd) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake(),
		VersionedPlugins: plugin.Versions(plugin.Logger, logger.NewPlugin(nil)),
		Cmd:              cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rpc.Dispense(string(plugin.Logger))
	if err != nil {
		t.Fatal(err)
	}
	return raw.(logger.Logger), cmd
}

// marks are the marks of the rows of a run's log, in their order.
func marks(t *testing.T, folder string) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(folder, "*.wandb"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	file, err := os.Open(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := datastore.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, datastore.ErrTorn) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := datastore.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if p.History != nil {
			list = append(list, p.Mark.String())
		}
	}
}

// TestKilled kills the plugin's process while it writes, again and again, and
// gives each new process the records that it lacks: in the end every record is
// there once.
func TestKilled(t *testing.T) {
	const kills, batch, total = 8, 20, 2000
	records := make([]logger.Record, total)
	var want []string
	for i := range records {
		records[i] = record(1, int64(i+1), int64(i/2+1))
		want = append(want, datastore.Mark{Attempt: 1, Seq: int64(i + 1)}.String())
	}
	dir := t.TempDir()
	run := &logger.Run{Name: "support", Directory: dir, Attempt: 1, Start: began}
	for life := range kills + 1 {
		l, cmd := start(t)
		opened, err := l.Open(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		left := records[opened.Seq:]
		acknowledged := opened.Seq
		for n := 0; len(left) > 0; n++ {
			if life < kills && n == 2+life {
				go cmd.Process.Kill() //nolint:errcheck // the next call fails once it is dead
			}
			size := min(batch, len(left))
			if err := l.Log(t.Context(), left[:size]); err != nil {
				if life == kills {
					t.Fatal(err)
				}
				break
			}
			acknowledged, left = left[size-1].Seq, left[size:]
		}
		if life == kills {
			if err := l.Close(t.Context(), logger.Status{State: "finished"}); err != nil {
				t.Fatal(err)
			}
			break
		}
		_ = cmd.Process.Kill()
		if written := marks(t, folders(t, dir)[0]); int64(len(written)) < acknowledged {
			t.Errorf("life %d: record %d was acknowledged, %d are there", life, acknowledged, len(written))
		}
	}
	found := folders(t, dir)
	if len(found) != 1 {
		t.Fatal(found)
	}
	if got := marks(t, found[0]); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d, each once", len(got), total)
	}
}
