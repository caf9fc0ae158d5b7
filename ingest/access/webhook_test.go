package access

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/ingest/outbound"
)

var question = Question{
	ID: "7f", Action: Publish, Path: "live/cam1", IP: netip.MustParseAddr("192.0.2.7"), User: "anna", Password: "pw",
	Token: "t.o.k", Protocol: "rtmp", Query: "name=evil&addr=8.8.8.8&x=1", UserAgent: "FMLE/3.0", TCURL: "rtmp://h/live",
}

// hook is somebody's web service.
func hook(t *testing.T, style Style, answer http.HandlerFunc) *Webhook {
	s := httptest.NewServer(answer)
	w := NewWebhook(s.URL+"/auth?private=1", style, []byte("shared"), func() time.Time { return noon })
	t.Cleanup(s.Close)
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// What parts a stream's path is the last slash, for whoever asks.
func TestSplitPath(t *testing.T) {
	for path, want := range map[string][2]string{
		"live/cam1": {"live", "cam1"}, "live/a/cam1": {"live/a", "cam1"}, "cam1": {"", "cam1"}, "live/": {"live", ""}, "": {"", ""},
	} {
		if app, name := SplitPath(path); app != want[0] || name != want[1] {
			t.Errorf("%q: %q and %q", path, app, name)
		}
	}
}

func TestWebhookAnswers(t *testing.T) {
	reply := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body := ""
			for i := 0; i+1 < len(header); i += 2 {
				if header[i] == "body" {
					body = header[i+1]
				} else {
					w.Header().Set(header[i], header[i+1])
				}
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const kind, json = "Content-Type", "application/json; charset=utf-8"
	for _, c := range []struct {
		name  string
		style Style
		reply http.HandlerFunc
		want  Answer
		err   error
	}{
		{"yes", StyleJSON, reply(200), Answer{}, nil},
		{"no content", StyleJSON, reply(204), Answer{}, nil},
		{"text", StyleJSON, reply(200, "body", "OK"), Answer{}, nil},
		{"no keys", StyleJSON, reply(200, kind, json, "body", `{"other":1}`), Answer{}, nil},
		{"renamed", StyleJSON, reply(200, kind, json, "body", `{"path":"/live/other","id":"anna","session":60}`), Answer{"live/other", "anna", time.Minute}, nil},
		{"JSON without the type", StyleJSON, reply(200, kind, "text/plain", "body", `{"path":"x"}`), Answer{}, nil},
		{"broken JSON", StyleJSON, reply(200, kind, json, "body", `{"path":`), Answer{}, ErrUnknown},
		{"session is negative", StyleJSON, reply(200, kind, json, "body", `{"session":-1}`), Answer{}, ErrUnknown},
		{"path is a number", StyleJSON, reply(200, kind, json, "body", `{"path":1}`), Answer{}, ErrUnknown},
		{"no", StyleJSON, reply(401), Answer{}, ErrDenied},
		{"never", StyleJSON, reply(403), Answer{}, ErrDenied},
		{"too many", StyleJSON, reply(429), Answer{}, ErrUnknown},
		{"500", StyleJSON, reply(500), Answer{}, ErrUnknown},
		{"503", StyleForm, reply(503), Answer{}, ErrUnknown},
		{"redirect", StyleJSON, reply(302, "Location", "/yes"), Answer{}, ErrUnknown},
		{"huge", StyleJSON, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.LimitReader(zeros{}, 1<<20)) }, Answer{}, ErrUnknown},
		{"gzip is not unpacked", StyleJSON, reply(200, kind, json, "Content-Encoding", "gzip", "body", "\x1f\x8b"), Answer{}, ErrUnknown},
		{"form: yes", StyleForm, reply(200, kind, json, "body", `{"path":"x/y"}`), Answer{}, nil},
		{"form: no", StyleForm, reply(404), Answer{}, ErrDenied},
		{"form: renamed", StyleForm, reply(302, "Location", "other"), Answer{Path: "live/other"}, nil},
		{"form: renamed with app", StyleForm, reply(302, "Location", "/app/other"), Answer{Path: "app/other"}, nil},
		{"form: sent on", StyleForm, reply(302, "Location", "rtmp://10.0.0.1/x/y"), Answer{}, ErrUnknown},
		{"form: no location", StyleForm, reply(302), Answer{}, ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int64
			w := hook(t, c.style, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				c.reply(w, r)
			})
			a, err := w.Ask(t.Context(), question)
			if a != c.want || !errors.Is(err, c.err) {
				t.Errorf("%+v, %v; want %+v, %v", a, err, c.want, c.err)
			}
			if errors.Is(err, ErrDenied) && errors.Is(err, ErrUnknown) {
				t.Error("both refused and unknown")
			}
			if err != nil && strings.Contains(err.Error(), "private") {
				t.Errorf("the error tells the URL: %v", err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestWebhookRequest(t *testing.T) {
	var got http.Request
	var body []byte
	note := func(w http.ResponseWriter, r *http.Request) {
		got = *r
		body, _ = io.ReadAll(r.Body)
	}
	if _, err := hook(t, StyleJSON, note).Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	var fields map[string]string
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id": "7f", "action": "publish", "path": "live/cam1", "ip": "192.0.2.7", "user": "anna", "password": "pw", "token": "t.o.k",
		"protocol": "rtmp", "query": "name=evil&addr=8.8.8.8&x=1", "userAgent": "FMLE/3.0",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s, %s", got.Method, got.Header)
	}
	// What docs/webhook.md tells a service to compute.
	if s := got.Header.Get(SignatureHeader); s != sign([]byte("shared"), noon.Unix(), body) || !strings.HasPrefix(s, "t=1767355200,v1=") {
		t.Errorf("signed %q", s)
	}

	if _, err := hook(t, StyleForm, note).Ask(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	wantForm := url.Values{
		"call": {"publish"}, "type": {"live"}, "app": {"live"}, "name": {"cam1"}, "addr": {"192.0.2.7"}, "clientid": {"7f"},
		"flashver": {"FMLE/3.0"}, "tcurl": {"rtmp://h/live"}, "protocol": {"rtmp"},
		"arg_name": {"evil"}, "arg_addr": {"8.8.8.8"}, "arg_x": {"1"},
	}
	if diff := cmp.Diff(wantForm, form); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Questions go where the configuration says, by the way that it says: no proxy of
// the environment hears them. Answers come as they are, since what is unpacked has
// no bound; and who answers has TLS 1.2 at least.
func TestWebhookGoesStraight(t *testing.T) {
	transport := outbound.NewClient(outbound.CallTime).Transport.(*http.Transport)
	if transport.Proxy != nil || transport.TLSClientConfig.MinVersion < tls.VersionTLS12 || transport.TLSClientConfig.InsecureSkipVerify {
		t.Error("a proxy, an old TLS, or a certificate that nobody looks at")
	}
	w := hook(t, StyleJSON, func(w http.ResponseWriter, r *http.Request) {
		if said := r.Header.Get("Accept-Encoding"); said != "" {
			t.Errorf("accepts %q", said)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, `{"path":"live/other"}`)
		z.Close()
	})
	if a, err := w.Ask(t.Context(), question); !errors.Is(err, ErrUnknown) {
		t.Errorf("unpacked: %+v, %v", a, err)
	}
}

// A service that takes its time is a no when five seconds are over, and one
// that isn't there at once.
func TestWebhookSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWebhook("http://hook.example/", StyleJSON, nil, time.Now)
		w.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		began := time.Now()
		_, err := w.Ask(t.Context(), question)
		if !errors.Is(err, ErrUnknown) || time.Since(began) != outbound.CallTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
	w := hook(t, StyleJSON, func(http.ResponseWriter, *http.Request) {})
	w.url = "http://127.0.0.1:1/"
	if _, err := w.Ask(t.Context(), question); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// However many ask, the service has no more than so many questions at a time,
// and who waits for his turn waits no longer than for an answer.
func TestWebhookCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		w := NewWebhook("http://hook.example/", StyleJSON, nil, time.Now)
		w.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			select {
			case <-time.After(2 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		var all sync.WaitGroup
		var yes atomic.Int64
		began := time.Now()
		for i := range 10 * turnsAtOnce {
			all.Go(func() {
				q := question
				q.IP = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				if _, err := w.Ask(t.Context(), q); err == nil {
					yes.Add(1)
				}
			})
		}
		all.Wait()
		if most.Load() != turnsAtOnce || yes.Load() != 2*turnsAtOnce || time.Since(began) != outbound.CallTime {
			t.Errorf("%d at a time, %d answered, after %v", most.Load(), yes.Load(), time.Since(began))
		}
	})
}

// However much one address asks, and however slowly that is answered, others are
// asked about at once; and several that ask much do no more to them than to have
// them wait for one answer.
func TestWebhookIsFair(t *testing.T) {
	for attackers, wait := range map[int]time.Duration{1: 0, 3: 0, 4: 2 * time.Second, 6: 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			w := NewWebhook("http://hook.example/", StyleJSON, nil, time.Now)
			w.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(2 * time.Second)
				return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
			})
			ask := func(ip netip.Addr) error {
				q := question
				q.IP = ip
				_, err := w.Ask(t.Context(), q)
				return err
			}
			var all sync.WaitGroup
			var turnedAway atomic.Int64
			for i := range 6 * 128 * attackers { // six connections of HTTP/2 each, and a /64 of addresses
				all.Go(func() {
					ip := netip.MustParseAddr("2001:db8::").As16()
					ip[7], ip[14], ip[15] = byte(i%attackers), byte(i>>8), byte(i)
					if err := ask(netip.AddrFrom16(ip)); errors.Is(err, errCrowd) {
						turnedAway.Add(1)
					}
				})
			}
			synctest.Wait()
			began := time.Now()
			for i := range 4 {
				all.Go(func() {
					if err := ask(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})); !errors.Is(err, ErrDenied) || time.Since(began) != wait+2*time.Second {
						t.Errorf("%d who ask much, another one: %v after %v", attackers, err, time.Since(began))
					}
				})
			}
			all.Wait()
			if want := int64(attackers * (6*128 - turnsShare - turnsLine)); attackers <= 3 && turnedAway.Load() != want || most.Load() > turnsAtOnce {
				t.Errorf("%d who ask much: %d turned away, want %d; %d at a time", attackers, turnedAway.Load(), want, most.Load())
			}
			if len(w.turns.homes) > 0 || len(w.turns.round) > 0 || w.turns.taken > 0 {
				t.Errorf("left behind: %d homes, %d in the round, %d turns", len(w.turns.homes), len(w.turns.round), w.turns.taken)
			}
		})
	}
}

func TestWebhookNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, failures atomic.Int64
		failures.Store(2)
		w := NewWebhook("http://hook.example/", StyleJSON, nil, time.Now)
		w.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			body, _ := io.ReadAll(r.Body)
			if !strings.Contains(string(body), `"action":"publish_done"`) {
				t.Errorf("told %s", body)
			}
			if failures.Add(-1) >= 0 {
				return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		var lost atomic.Int64
		go func() {
			w.Run(ctx, func(Question, error) { lost.Add(1) })
			close(done)
		}()
		w.Tell(question)
		time.Sleep(time.Minute)
		if calls.Load() != 3 || lost.Load() != 0 {
			t.Errorf("%d calls, %d lost: want the third to be heard", calls.Load(), lost.Load())
		}
		failures.Store(3)
		w.Tell(question)
		time.Sleep(time.Minute)
		if calls.Load() != 6 || lost.Load() != 1 {
			t.Errorf("%d calls, %d lost: want no fourth", calls.Load(), lost.Load())
		}
		failures.Store(0)
		for range 5 { // what waits when all ends is told, too
			w.Tell(question)
		}
		cancel()
		<-done
		if calls.Load() != 11 || lost.Load() != 1 {
			t.Errorf("%d calls, %d lost at the end", calls.Load(), lost.Load())
		}
		for range webhookQueue {
			if !w.Tell(question) {
				t.Fatal("no room in the queue")
			}
		}
		if w.Tell(question) {
			t.Error("the queue has no bound")
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
