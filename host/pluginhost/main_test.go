package pluginhost

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("PLUGINHOST_TEST_HELPER"); path != "" {
		helperHost(path)
		return
	}
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// builtIn is the folder of the binary of testdata/badplugin, once there is one.
var builtIn string

// badPlugin builds that binary once and gives its path.
var badPlugin = sync.OnceValues(func() (string, error) {
	var err error
	if builtIn, err = os.MkdirTemp("", "pluginhost"); err != nil {
		return "", err
	}
	path := filepath.Join(builtIn, "badplugin")
	output, err := exec.Command("go", "build", "-o", path, "./testdata/badplugin").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building testdata/badplugin: %w\n%s", err, output)
	}
	return path, nil
})

// install links the bad plugin into dir under the names of plugins.
func install(t testing.TB, dir string, folders ...string) {
	t.Helper()
	binary, err := badPlugin()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if err := os.Link(binary, filepath.Join(dir, Prefix+folder)); err != nil {
			t.Fatal(err)
		}
	}
}

// bad is the bad plugin installed in a folder of its own.
func bad(t *testing.T, folder string) Plugin {
	t.Helper()
	dir := t.TempDir()
	install(t, dir, folder)
	found := Discover([]Directory{{Path: dir}})
	if len(found.Plugins) != 1 {
		t.Fatalf("found %v, skipped %v", found.Plugins, found.Skipped)
	}
	return found.Plugins[0]
}

// testContext is one that ends before the test's own time runs out.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// mustStart starts a plugin and has it ended with the test.
func mustStart(t *testing.T, p Plugin, opts Options) *Process {
	t.Helper()
	proc, err := Start(testContext(t), p, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proc.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return proc
}

// open asks the bad logger to do something.
func open(ctx context.Context, proc *Process, do, with string) (*logger.Opened, error) {
	return proc.Logger().Open(ctx, &logger.Run{Config: map[string]any{"do": do, "with": with}})
}

// logBuffer is a logger whose lines a test can read.
type logBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func (b *logBuffer) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "hone", Level: hclog.Trace, Output: b, DisableTime: true})
}

// A watch sees processes that hold a connection to it end.
type watch struct {
	path     string
	listener net.Listener
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	dir, err := os.MkdirTemp("", "watch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &watch{path: filepath.Join(dir, "s")}
	if w.listener, err = new(net.ListenConfig).Listen(t.Context(), "unix", w.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.listener.Close() })
	return w
}

// held waits until a process holds a connection.
func (w *watch) held(t *testing.T) net.Conn {
	t.Helper()
	conn, err := w.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// awaitEnd waits until the process at the other end is gone.
func awaitEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Fatalf("the process still runs: %v", err)
	}
}

// helperHost is a host in a process of its own: it starts the plugin at path, says
// so, and waits to be killed.
func helperHost(path string) {
	p := Plugin{Kind: plugin.Logger, Name: "good", Path: path}
	proc, err := Start(context.Background(), p, Options{})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	for _, do := range strings.Split(os.Getenv("PLUGINHOST_TEST_DO"), ",") {
		if _, err := open(context.Background(), proc, do, os.Getenv("PLUGINHOST_TEST_WATCH")); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
	}
	fmt.Println("ready", proc.folder)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	select {}
}
