package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

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

// TestKilled kills the plugin's process while it writes, again and again, and
// gives each new process the records that it lacks: in the end every record is
// there once.
func TestKilled(t *testing.T) {
	const kills, batch, total = 8, 20, 2000
	records := make([]logger.Record, total)
	var want []string
	for i := range records {
		records[i] = record(1, int64(i+1), int64(i/2+1))
		want = append(want, fmt.Sprintf("1/%d", i+1))
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
		again := newTensorboard()
		check, err := again.Open(context.Background(), run)
		if err != nil {
			t.Fatal(err)
		}
		again.file.Close()
		if check.Seq < acknowledged {
			t.Errorf("life %d: record %d was acknowledged, %d is the last that is there", life, acknowledged, check.Seq)
		}
	}
	got, purges := seen(heads(t, filepath.Join(dir, "tensorboard")))
	if got != strings.Join(want, " ") || purges != 0 {
		t.Errorf("%d records and %d purges, want %d and 0", len(strings.Fields(got)), purges, total)
	}
}
