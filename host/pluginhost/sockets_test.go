//go:build unix

package pluginhost

import (
	"os"
	"sync"
	"testing"
)

// TestFoldersOfManyHosts: hosts that start at the same time, and clean up behind
// others, leave each other's folders alone.
func TestFoldersOfManyHosts(t *testing.T) {
	base := t.TempDir()
	if len(base)+socketPathTail > socketPathLimit {
		var err error
		if base, err = os.MkdirTemp("/tmp", "hone-test"); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(base)
	}
	var hosts sync.WaitGroup
	for range 8 {
		hosts.Go(func() {
			for range 50 {
				dir, lock, err := socketFolder([]string{base})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(dir); err != nil {
					t.Errorf("a folder is gone while its host lives: %v", err)
				}
				os.RemoveAll(dir)
				lock.Close()
			}
		})
	}
	hosts.Wait()
}
