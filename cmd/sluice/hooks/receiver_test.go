package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
)

// What stands between these lines is in docs/webhook.md, as the receiver that readers
// begin with.

// receiver in docs

// verify tells whether a request is one of sluice's, and of now. secret is an entry of
// hooks.secrets.
func verify(h http.Header, body []byte, secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	id, at := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if unix, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(unix, 0)).Abs() > 5*time.Minute {
		return errors.New("too old, or from the future")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	for one := range strings.FieldsSeq(h.Get("webhook-signature")) {
		text, ok := strings.CutPrefix(one, "v1,")
		if sum, err := base64.StdEncoding.DecodeString(text); ok && err == nil && hmac.Equal(sum, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature is good")
}

// end of the receiver in docs

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func mustSecret(t *testing.T, text string) Secret {
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The specification's own example: Standard Webhooks, "Verifying webhook authenticity",
// as its libraries have it in their tests.
func TestSignature(t *testing.T) {
	h := make(http.Header)
	sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), []Secret{mustSecret(t, oldSecret)})
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A receiver finds good what is signed with its secret, be it the old one or the new one,
// and nothing else: no other body, id, time or secret.
func TestVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := one("a")
		settings.Secrets = []Secret{mustSecret(t, newSecret), mustSecret(t, oldSecret)}
		s := begin(settings)
		s.tell("live/cam1", "x")
		synctest.Wait()
		calls, _ := s.seen()
		c := calls[0]
		for _, secret := range []string{oldSecret, newSecret} {
			if err := verify(c.header, c.body, secret); err != nil {
				t.Error(err)
			}
			if verify(c.header, append(c.body, ' '), secret) == nil {
				t.Error("another body")
			}
			for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
				other := c.header.Clone()
				other.Set(name, strings.Map(func(r rune) rune { // another digit or letter for each
					if strings.ContainsRune("123456789abcdefABCDEF", r) {
						return '0'
					}
					return r
				}, other.Get(name)))
				if verify(other, c.body, secret) == nil {
					t.Errorf("another %s", name)
				}
			}
		}
		if verify(c.header, c.body, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") == nil {
			t.Error("another secret")
		}
		time.Sleep(6 * time.Minute)
		if verify(c.header, c.body, newSecret) == nil {
			t.Error("a request that is old")
		}
		s.end()
	})
}

func TestParseSecret(t *testing.T) {
	for _, text := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_!", "whsec_" + strings.Repeat("AAAA", 22)} {
		if _, err := ParseSecret(text); err == nil || len(text) > 9 && strings.Contains(err.Error(), text[9:]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever a receiver answers is bounded, and told: redirects, which nobody follows, a
// body without end, a certificate that nobody knows, nothing at all.
func TestAnswers(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	answers := func(f http.HandlerFunc) string {
		s := httptest.NewServer(f)
		t.Cleanup(s.Close)
		return s.URL
	}
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	defer strange.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	huge := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		name, url, trouble string
		delivered          bool
	}{
		{"a redirect", answers(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}), "redirects are not followed", false},
		{"no", answers(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }), "it answered 401", false},
		{"a body without end", answers(huge(200)), "longer than 64 KiB", true},
		{"a refusal without end", answers(huge(500)), "it answered 500", false},
		{"a strange certificate", strange.URL, "certificate", false},
		{"nobody", closed.URL, "refused", false},
		{"an address that is secret", strings.Replace(answers(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "hush" {
				w.WriteHeader(401)
			}
		}), "http://", "http://user:hush@", 1), "", true},
	} {
		feed := admin.NewFeed(time.Now)
		s := begin(Settings{})
		s.client.Transport = New(feed, time.Now, s.log, nil).client.Transport // the real one
		s.Set(Settings{URLs: []string{c.url}, Events: []admin.Kind{admin.Published}})
		s.tell("live/cam1", "x")
		for range 200 {
			if st := s.State()[0]; st.Delivered+st.Failed > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		st := s.State()[0]
		if !strings.Contains(st.Trouble, c.trouble) || st.Delivered > 0 != c.delivered || st.Failed > 0 == c.delivered || strings.Contains(st.URL+st.Trouble+s.book.String(), "hush") {
			t.Errorf("%s: %+v", c.name, st)
		}
		s.Set(Settings{})
		s.end()
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirect was followed")
	}
}

// A receiver that is busy says for how long.
func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "99999999999999999999": 0, "86400": 5 * time.Minute, "soon": 0,
		"Sat, 28 Nov 2026 12:01:30 GMT": 90 * time.Second, "Fri, 31 Dec 1999 23:59:59 GMT": 0, "Fri, 31 Dec 2049 23:59:59 GMT": 5 * time.Minute} {
		if got := retryAfter(&http.Response{Header: http.Header{"Retry-After": {text}}}, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
