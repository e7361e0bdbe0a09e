package web

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

// A StatusError is an answer that is no success. Not found and gone are
// fs.ErrNotExist.
type StatusError struct {
	Host string
	Code int
	Said string // the beginning of the answer, one line
}

// Error names the host and the status.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.Host, e.Code, http.StatusText(e.Code))
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

// Is reports whether target is fs.ErrNotExist, and that is what the answer says.
func (e *StatusError) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Code == http.StatusNotFound || e.Code == http.StatusGone)
}

// Get asks for a file from a byte on; a server that knows no parts sends it all, and
// its beginning is passed over.
func (c *Client) Get(ctx context.Context, url string, header http.Header, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, Explain(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		_, err = io.CopyN(io.Discard, resp.Body, from)
	case http.StatusPartialContent:
		err = checkRange(resp, from)
	default:
		err = newStatusError(resp)
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// checkRange refuses a part that begins elsewhere than was asked.
func checkRange(resp *http.Response, from int64) error {
	begin, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "-")
	if n, err := strconv.ParseInt(begin, 10, 64); err != nil || n != from {
		return fmt.Errorf("%s answers the wrong part of a file", resp.Request.URL.Host)
	}
	return nil
}

func newStatusError(resp *http.Response) error {
	e := &StatusError{Host: resp.Request.URL.Host, Code: resp.StatusCode}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		e.Said = strings.Join(strings.Fields(strings.ToValidUTF8(string(said), "")), " ")
	}
	return e
}
