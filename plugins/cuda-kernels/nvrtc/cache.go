package nvrtc

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"sync"
)

// DefaultCacheBytes is the size that a Cache stays below: some thousands of kernels.
const DefaultCacheBytes = 256 << 20

// A Cache keeps Results in a folder, which several processes may share. It is safe
// for concurrent use.
//
// An entry is found by everything that its cubin depends on: source, headers, options,
// architecture, and the compiler's version. It carries a checksum; one that is cut off
// or altered is removed, and the source compiled anew.
type Cache struct {
	dir   string
	limit int64

	mu       sync.Mutex
	problem  error
	inFlight map[key]chan struct{} // closed when the compilation ends
}

// OpenCache is the cache in a folder, which is created with the first entry; "" is
// the folder hone/kernels in the user's cache folder. A folder that cannot be used is
// no error: [Cache.Problem] tells of it.
func OpenCache(dir string) *Cache {
	k := &Cache{dir: dir, limit: DefaultCacheBytes, inFlight: map[key]chan struct{}{}}
	if dir != "" {
		return k
	}
	base, err := os.UserCacheDir()
	if err != nil {
		k.problem = fmt.Errorf("kernels are not kept on disk: %w", err)
		return k
	}
	k.dir = filepath.Join(base, "hone", "kernels")
	return k
}

// Dir is the folder of the entries, or "" where there is none.
func (k *Cache) Dir() string { return k.dir }

// Problem is why the last Result that had to be compiled was not kept, or nil.
func (k *Cache) Problem() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.problem
}

// Compile is the Result of an equal Request that was compiled before, by this process
// or another; else it compiles. Several equal Requests at once are compiled once.
// Errors are those of [Compiler.Compile], and are not kept.
func (k *Cache) Compile(ctx context.Context, c *Compiler, r Request) (*Result, error) {
	id := keyOf(c, r)
	release, err := k.acquire(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w", r.Name, err)
	}
	defer release()
	if result := k.load(id, r); result != nil {
		return result, nil
	}
	result, err := c.Compile(ctx, r)
	if err != nil {
		return nil, err
	}
	k.keep(id, result)
	return result, nil
}

// acquire waits until no other goroutine of this process compiles the same.
func (k *Cache) acquire(ctx context.Context, id key) (release func(), err error) {
	for {
		k.mu.Lock()
		other, busy := k.inFlight[id]
		if !busy {
			done := make(chan struct{})
			k.inFlight[id] = done
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.inFlight, id)
				k.mu.Unlock()
				close(done)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// load is the entry as a Result, or nil where there is none that is whole.
func (k *Cache) load(id key, r Request) *Result {
	if k.dir == "" {
		return nil
	}
	path := k.path(id)
	code, log, err := readEntry(path, id)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		if result, err := newResult(r, code, log); err == nil {
			touch(path)
			return result
		}
	}
	os.Remove(path)
	return nil
}

// keep writes the entry, and makes room for it.
func (k *Cache) keep(id key, result *Result) {
	if k.dir == "" {
		return
	}
	path := k.path(id)
	err := writeEntry(path, id, result.Cubin, result.Log)
	if err != nil {
		err = fmt.Errorf("kernels are not kept on disk: %w", err)
	} else {
		trim(k.dir, k.limit, path)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problem = err
}

// A key is a hash of everything that a cubin depends on.
type key [sha256.Size]byte

func (k *Cache) path(id key) string {
	return filepath.Join(k.dir, hex.EncodeToString(id[:])+entrySuffix)
}

func keyOf(c *Compiler, r Request) key {
	h := sha256.New()
	put(h, entryMagic, c.version.String(), c.build, r.Name, r.Source, r.Arch)
	names := sortedNames(r.Headers)
	putCount(h, len(names))
	for _, name := range names {
		put(h, name, r.Headers[name])
	}
	put(h, r.arguments()...)
	return key(h.Sum(nil))
}

// put adds strings, each with its length before it, so that no two lists are alike.
func put(h hash.Hash, strs ...string) {
	for _, s := range strs {
		putCount(h, len(s))
		h.Write([]byte(s))
	}
}

func putCount(h hash.Hash, n int) {
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}
