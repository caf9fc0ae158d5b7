package admin

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// crew is who publishes live/cam1: an encoder, and one that stands by.
type crew struct{ switched []string }

func (c *crew) Contributors(stream packager.StreamName) []Contributor {
	if stream.String() != "live/cam1" {
		return nil
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return []Contributor{
		{Pushed: "live/cam1", Remote: "192.0.2.1:1", Software: "OBS", Began: at, OnAir: true, Since: at, Lock: remux.Lock{State: remux.LockMaster}},
		{Label: "_720p", Pushed: "live/cam1_720p", Remote: "192.0.2.2:1", Software: "ffmpeg", Began: at, Since: at, Alone: true,
			Lock: remux.Lock{State: remux.LockFree, Difference: time.Second / 4, Why: "set one clock"}},
	}
}

func (c *crew) Switch(stream packager.StreamName, pushed string) error {
	switch {
	case stream.String() != "live/cam1" || !strings.HasPrefix(pushed, "live/cam1"):
		return ErrNobody
	case pushed == "live/cam1":
		return errors.New("nobody stands by")
	}
	c.switched = append(c.switched, pushed)
	return nil
}

func TestSwitch(t *testing.T) {
	for _, test := range []struct {
		method, target, body string
		header               []string
		code                 int
		switched             string
	}{
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", nil, 202, "live/cam1_720p"},
		{"POST", "/api/v1/streams/live/cam1/switch", `{"pushed": "live/cam1_720p"}`, nil, 202, "live/cam1_720p"},
		{"POST", "/api/v1/streams/live/cam1/switch", "", nil, 409, ""}, // the stream's own name
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/other", "", nil, 404, ""},
		{"POST", "/api/v1/streams/live/other/switch", "", nil, 404, ""},
		{"POST", "/api/v1/streams/live/.cam1/switch", "", nil, 404, ""},
		{"POST", "/api/v1/streams/live/cam1/switch", "pushed=live/cam1_720p", nil, 400, ""},
		{"POST", "/api/v1/streams/live/cam1/switch", strings.Repeat("x", 5000), nil, 400, ""},
		{"GET", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", nil, 405, ""},
		// A page of another origin has an operator's browser send it.
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", []string{"Origin", "http://evil.example"}, 403, ""},
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", []string{"Sec-Fetch-Site", "same-origin"}, 202, "live/cam1_720p"},
		{"POST", "/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", []string{"Origin", "http://localhost"}, 202, "live/cam1_720p"},
		{"POST", "http://evil.example/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", "", nil, 403, ""}, // a name that was made to lead here
	} {
		c := new(crew)
		s := &Server{House: new(house), Crew: c, Now: time.Now}
		if strings.HasPrefix(test.target, "/") {
			test.target = "http://localhost" + test.target
		}
		r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
		for i := 0; i+1 < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, r)
		if got := strings.Join(c.switched, " "); w.Code != test.code || got != test.switched {
			t.Errorf("%s %s %.20q %q: %d, switched %q; want %d, %q", test.method, test.target, test.body, test.header, w.Code, got, test.code, test.switched)
		}
	}
}

// A switch needs the token, as all of the API does.
func TestSwitchNeedsToken(t *testing.T) {
	c := new(crew)
	s := &Server{House: new(house), Crew: c, Token: "0123456789abcdef", Now: time.Now}
	r := httptest.NewRequest("POST", "http://localhost/api/v1/streams/live/cam1/switch?pushed=live/cam1_720p", nil)
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, r)
	if w.Code != 401 || len(c.switched) > 0 {
		t.Errorf("%d, switched %q", w.Code, c.switched)
	}
}

// The API tells who publishes, and health what is wrong with them.
func TestContributors(t *testing.T) {
	all := new(crew).Contributors(streamName(t))
	text, err := json.Marshal(describeCrew(all))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"label":"","pushed":"live/cam1","remote":"192.0.2.1:1","software":"OBS","began":"2026-11-24T12:00:00Z","onAir":true,"since":"2026-11-24T12:00:00Z",` +
		`"lock":{"state":"master","difference":0,"ppm":0}},` +
		`{"label":"_720p","pushed":"live/cam1_720p","remote":"192.0.2.2:1","software":"ffmpeg","began":"2026-11-24T12:00:00Z","onAir":false,"since":"2026-11-24T12:00:00Z",` +
		`"lock":{"state":"free","difference":0.25,"ppm":0,"why":"set one clock"}}]`
	if string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
	if got := strings.Join(crewHealth(all), "\n"); !strings.HasPrefix(got, "live/cam1_720p: set one clock\nlive/cam1_720p: nobody stands by") {
		t.Errorf("health: %s", got)
	}
	if text, _ := json.Marshal(describeCrew(nil)); string(text) != "[]" {
		t.Errorf("nobody is %s", text)
	}
}

func streamName(t *testing.T) packager.StreamName {
	t.Helper()
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	return name
}
