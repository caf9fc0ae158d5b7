// Package outbound asks what the configuration names, and nothing else.
package outbound

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// CallTime is the longest that one request takes whose answer somebody waits for.
	CallTime = 5 * time.Second
	// answerSize bounds what is read of an answer, and of its header.
	answerSize = 64 << 10
)

// NewClient makes a client whose requests take so long at most. It goes where the
// configuration says and nowhere else: no redirect is followed and no proxy taken from
// the environment.
func NewClient(longest time.Duration) *http.Client {
	return &http.Client{
		Timeout:       longest,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: longest, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    longest,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // what is unpacked has no bound that we know
			MaxResponseHeaderBytes: answerSize,
		},
	}
}

// ReadAnswer reads a body to its end, or fails where it is too long.
func ReadAnswer(r *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, answerSize+1))
	if err != nil {
		return nil, err
	}
	if len(body) > answerSize {
		return nil, fmt.Errorf("the answer is longer than %d KiB", answerSize>>10)
	}
	return body, nil
}

// Plain drops the URL from an error: it may hold a secret of the operator's.
func Plain(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}
