// Package web is the HTTP client of everything that fetches or publishes releases:
// it bounds waiting, retries what may be transient, and speaks https alone, but with
// this machine itself. Proxies are those of the environment.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/honeml/hone/sdk/fault"
)

// The bounds of waiting and of patience.
const (
	headerTimeout = time.Minute
	stallTimeout  = time.Minute
	retries       = 4
	firstPause    = 250 * time.Millisecond
	longestPause  = 5 * time.Second
)

// A Client is used by several goroutines at once.
type Client struct {
	*http.Client
	// pause is the wait before the first retry; it doubles.
	pause time.Duration
}

// NewClient makes a client. pause is the wait before a first retry, 0 for a quarter
// of a second.
func NewClient(pause time.Duration) *Client {
	if pause == 0 {
		pause = firstPause
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.ResponseHeaderTimeout = headerTimeout
	base.DisableCompression = true // an archive's bytes are those of its hash
	policy := &retry.GenericPolicy{
		Retryable: retryable, Backoff: retry.ExponentialBackoff(pause, 2, 0.1), MinWait: pause, MaxWait: longestPause, MaxRetry: retries,
	}
	return &Client{
		Client: &http.Client{
			Transport: &retry.Transport{
				Base:   &watched{base: &guarded{base}, patience: stallTimeout},
				Policy: func() retry.Policy { return policy },
			},
			CheckRedirect: checkRedirect,
		},
		pause: pause,
	}
}

// retryable leaves the last answer to the caller, who says what it was.
func retryable(resp *http.Response, err error) (bool, error) {
	if err != nil {
		again, _ := retry.DefaultPredicate(resp, err)
		return again, nil
	}
	return retry.DefaultPredicate(resp, nil)
}

// Pause waits before attempt number n, which begins with 1, or until ctx ends.
func (c *Client) Pause(ctx context.Context, n int) error {
	select {
	case <-time.After(min(c.pause<<min(n-1, 10), longestPause)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return fault.New(fault.BadInput, "%s leads from one address to the next without end", via[0].URL.Host)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fault.New(fault.BadInput, "%s leads away from https, to %s://%s", via[len(via)-1].URL.Host, req.URL.Scheme, req.URL.Host)
	}
	return nil
}

// guarded refuses to speak http with others.
type guarded struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !Loopback(req.URL.Hostname()) {
		return nil, fault.New(fault.BadInput, "%s://%s is not spoken with; use https", req.URL.Scheme, req.URL.Host)
	}
	return g.base.RoundTrip(req)
}

// errStalled ends a download in which nothing arrives any more.
var errStalled = fmt.Errorf("nothing arrived for %v", stallTimeout)

// watched ends answers in which nothing arrives any more.
type watched struct {
	base     http.RoundTripper
	patience time.Duration
}

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := w.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	b := &watchedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, patience: w.patience}
	b.timer = time.AfterFunc(w.patience, func() { cancel(errStalled) })
	resp.Body = b
	return resp, nil
}

type watchedBody struct {
	io.ReadCloser
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.patience)
	n, err := b.ReadCloser.Read(p)
	if err != nil && errors.Is(context.Cause(b.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// An UnreachableError says that a host could not be spoken with: this machine is
// offline, or the host is.
type UnreachableError struct {
	Host  string
	Cause error
}

// Error names the host.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s cannot be reached: %v", e.Host, e.Cause)
}

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

// Explain turns an error of a request into an [*UnreachableError] where it is one.
func Explain(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	var refused *fault.Error
	if errors.As(request.Err, &refused) {
		return refused
	}
	e := &UnreachableError{Host: request.URL, Cause: request.Err}
	if u, err := url.Parse(request.URL); err == nil {
		e.Host = u.Host
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(request.Err, &dns):
		e.Cause = errors.New(dns.Err)
	case errors.As(request.Err, &op) && op.Op == "proxyconnect":
		e.Cause = fmt.Errorf("the proxy %v does not answer: %w", op.Addr, op.Err)
	case errors.As(request.Err, &op):
		e.Cause = op.Err
	}
	return fault.New(fault.Storage, "%w", e)
}
