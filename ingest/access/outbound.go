package access

import (
	"crypto/tls"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"
)

const (
	// callTime is the longest that one request of ours may take.
	callTime = 5 * time.Second
	// answerSize bounds what we read of an answer, and of its header.
	answerSize = 64 << 10
)

// newClient makes the client for what the configuration tells us to ask. It
// goes where that says and nowhere else: no redirect is followed and no proxy
// taken from the environment.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: callTime, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    callTime,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // what is unpacked has no bound that we know
			MaxResponseHeaderBytes: answerSize,
		},
	}
}

// readAnswer reads a body to its end, or fails where it is too long.
func readAnswer(r *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, answerSize+1))
	if err != nil {
		return nil, err
	}
	if len(body) > answerSize {
		return nil, fmt.Errorf("the answer is longer than %d KiB", answerSize>>10)
	}
	return body, nil
}

func isJSON(h http.Header) bool {
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return t == "application/json"
}
