package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	playlistLimit = 1 << 20   // bytes of a playlist or manifest
	segmentLimit  = 100 << 20 // bytes of anything else

	// requestTimeout is for one request with its body. A server may hold one
	// for three target durations until there is something to send.
	requestTimeout = 20 * time.Second
)

// errHTTP marks errors that the report has already counted as HTTP errors.
var errHTTP = errors.New("request failed")

// fetcher makes bounded requests and tells the report of those that fail.
type fetcher struct {
	report    *report
	transport *http.Transport
	client    *http.Client
}

func newFetcher(r *report) *fetcher {
	f := &fetcher{report: r, transport: http.DefaultTransport.(*http.Transport).Clone()}
	f.client = &http.Client{Transport: f.transport}
	return f
}

func (f *fetcher) close() { f.transport.CloseIdleConnections() }

// response is a complete answer.
type response struct {
	url         *url.URL // after redirects
	status      int
	header      http.Header
	contentType string
	body        []byte
	took        time.Duration
}

// get fetches a URL. Any status but 200 and 206 is an error.
func (f *fetcher) get(ctx context.Context, u *url.URL, limit int) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", u, err)
	}
	res, err := f.do(req, f.client.Do, func(*http.Response) int { return limit })
	if err != nil {
		return nil, fmt.Errorf("get %s: %w: %w", u, errHTTP, err)
	}
	if res.status != http.StatusOK && res.status != http.StatusPartialContent {
		return nil, fmt.Errorf("get %s: %w: status %d", u, errHTTP, res.status)
	}
	return res, nil
}

// do sends a request and reads the whole answer, up to limit bytes of it.
func (f *fetcher) do(req *http.Request, send func(*http.Request) (*http.Response, error), limit func(*http.Response) int) (*response, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
	defer cancel()
	res, err := send(req.WithContext(ctx))
	if err != nil {
		f.failed(req, err)
		return nil, err
	}
	defer res.Body.Close()
	out := &response{
		url:         req.URL,
		status:      res.StatusCode,
		header:      res.Header,
		contentType: res.Header.Get("Content-Type"),
	}
	if res.Request != nil {
		out.url = res.Request.URL
	}
	if res.StatusCode >= 400 {
		f.report.httpError(req.URL, fmt.Errorf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)))
		return out, nil
	}
	n := limit(res)
	out.body, err = io.ReadAll(io.LimitReader(res.Body, int64(n)+1))
	if err == nil && len(out.body) > n {
		err = fmt.Errorf("more than %d bytes", n)
	}
	if err != nil {
		f.failed(req, err)
		return nil, fmt.Errorf("read: %w", err)
	}
	out.took = time.Since(begin)
	return out, nil
}

// failed counts a failure, unless it is us who gave up.
func (f *fetcher) failed(req *http.Request, err error) {
	if req.Context().Err() != nil {
		return
	}
	var u *url.Error
	if errors.As(err, &u) { // it would name the URL twice
		err = u.Err
	}
	f.report.httpError(req.URL, err)
}
