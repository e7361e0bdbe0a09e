package pluginhost

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// handshakeLine is what go-plugin's server writes when it is ready: the version
// of go-plugin's own protocol, the version of ours, the kind and address of its
// socket, and more.
var handshakeLine = regexp.MustCompile(`(\d)\|(\d+)\|(?:unix|tcp)\|[^|]+(?:\|[^|]*)*$`)

// A handshake reads a plugin's standard output: it finds the one line that is
// meant for go-plugin and gives all the rest to the log. A library that prints
// before, after, or without ever ending a line disturbs nothing.
type handshake struct {
	log *lineWriter

	reader *io.PipeReader
	writer *io.PipeWriter

	mu      sync.Mutex
	done    bool
	line    []byte // of the current line, the end
	version string // of our protocol, as the plugin says
}

// handshakeWindow is how much of the end of a line is searched, in bytes. The line
// holds a certificate of less than 1 KiB.
const handshakeWindow = 16 << 10

func newHandshake(log *lineWriter) *handshake {
	h := &handshake{log: log}
	h.reader, h.writer = io.Pipe()
	return h
}

// Write takes what the plugin prints. It never fails.
func (h *handshake) Write(data []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(data)
	for !h.done && len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			h.keep(data)
			return n, nil
		}
		h.keep(data[:end])
		h.endLine()
		data = data[end+1:]
	}
	if len(data) > 0 {
		_, _ = h.log.Write(data)
	}
	return n, nil
}

// keep appends to the current line; what no longer fits the window goes to the log.
func (h *handshake) keep(data []byte) {
	h.line = append(h.line, data...)
	if extra := len(h.line) - handshakeWindow; extra > 0 {
		_, _ = h.log.Write(h.line[:extra])
		h.line = append(h.line[:0], h.line[extra:]...)
	}
}

// endLine decides whether the current line is the one.
func (h *handshake) endLine() {
	at := handshakeLine.FindSubmatchIndex(bytes.TrimSuffix(h.line, []byte("\r")))
	if at == nil {
		_, _ = h.log.Write(append(h.line, '\n'))
		h.line = h.line[:0]
		return
	}
	if at[0] > 0 {
		_, _ = h.log.Write(append(bytes.Clone(h.line[:at[0]]), '\n'))
	}
	h.version = string(h.line[at[4]:at[5]])
	line := append(bytes.Clone(h.line[at[0]:]), '\n')
	h.done, h.line = true, nil
	go func() { // go-plugin reads it when it gets there
		_, _ = h.writer.Write(line)
		_ = h.writer.Close()
	}()
}

// spoken is the version of our protocol that the plugin announced, "" for none.
func (h *handshake) spoken() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

// Close ends the output: the process is gone.
func (h *handshake) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.done {
		h.done = true
		_, _ = h.log.Write(h.line)
		_ = h.writer.Close()
	}
	return h.log.Close()
}

// Interface guards.
var (
	_ io.WriteCloser = (*handshake)(nil)
	_ io.WriteCloser = (*lineWriter)(nil)
)
