package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/outbound"
)

const (
	webhookQueue = 256 // notifications that wait to be sent

	// SignatureHeader has t=UNIX,v1=HEX: the HMAC-SHA256 of "UNIX.BODY".
	SignatureHeader = "Sluice-Signature"
)

// Style is how a webhook is spoken to.
type Style string

// The styles.
const (
	StyleJSON Style = "json" // ours, which is MediaMTX's with more in it
	StyleForm Style = "form" // nginx-rtmp's
)

// Question is what a webhook is asked, or told.
type Question struct {
	ID        string // of this question: the same when it is repeated
	Action    Action
	Path      string // APP/NAME
	IP        netip.Addr
	User      string
	Password  string
	Token     string
	Protocol  string // rtmp, rtmps, hls, dash
	Query     string
	UserAgent string
	TCURL     string // form style only
	Done      bool   // the action has ended: nothing is asked
}

// Answer is what a webhook may add to its yes.
type Answer struct {
	Path string // of the stream instead, or empty
	ID   string // what to call the viewer, or empty

	Session time.Duration // how long he may watch; 0: as long as any
}

// Webhook asks a URL who may do what. It may be used by many at once.
type Webhook struct {
	url    string
	style  Style
	secret []byte
	client *http.Client
	now    func() time.Time
	turns  turns
	queue  chan Question
	pauses []time.Duration // before each repetition of a notification
}

// NewWebhook makes a webhook of a URL. An empty secret signs nothing.
func NewWebhook(url string, style Style, secret []byte, now func() time.Time) *Webhook {
	return &Webhook{
		url: url, style: style, secret: secret, now: now,
		client: outbound.NewClient(outbound.CallTime),
		queue:  make(chan Question, webhookQueue),
		pauses: []time.Duration{time.Second, 5 * time.Second},
	}
}

// Ask returns the answer to q, ErrDenied, or ErrUnknown when the webhook did
// not answer, or not in a way that means yes or no. It is asked once.
func (w *Webhook) Ask(ctx context.Context, q Question) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, outbound.CallTime)
	defer cancel()
	done, err := w.turns.take(ctx, q.IP)
	switch {
	case errors.Is(err, errCrowd):
		return Answer{}, fmt.Errorf("%w: the webhook isn't asked: %w", ErrUnknown, err)
	case err != nil:
		return Answer{}, fmt.Errorf("%w: the webhook has too many questions before it", ErrUnknown)
	}
	defer done()
	r, body, err := w.post(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: webhook: %v", ErrUnknown, err)
	}
	switch {
	case r.StatusCode/100 == 2:
		return w.yes(r, body)
	case r.StatusCode/100 == 3 && w.style == StyleForm:
		return renamed(q, r.Header.Get("Location"))
	case r.StatusCode/100 == 4 && r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusRequestTimeout:
		return Answer{}, fmt.Errorf("%w: the webhook says no (%d)", ErrDenied, r.StatusCode)
	}
	return Answer{}, fmt.Errorf("%w: the webhook answered %d", ErrUnknown, r.StatusCode)
}

func (w *Webhook) yes(r *http.Response, body []byte) (Answer, error) {
	if w.style == StyleForm || !isJSON(r.Header) || len(bytes.TrimSpace(body)) == 0 {
		return Answer{}, nil
	}
	var a struct {
		Path    string `json:"path"`
		ID      string `json:"id"`
		Session uint32 `json:"session"` // s
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return Answer{}, fmt.Errorf("%w: the webhook's answer is no JSON object with the strings path and id, and the seconds session", ErrUnknown)
	}
	return Answer{Path: strings.Trim(a.Path, "/"), ID: a.ID, Session: time.Duration(a.Session) * time.Second}, nil
}

// renamed reads nginx-rtmp's way to give a stream another name. There it may
// be a URL to send the stream on to: we send nothing anywhere.
func renamed(q Question, location string) (Answer, error) {
	if location == "" || strings.Contains(location, ":") {
		return Answer{}, fmt.Errorf("%w: the webhook redirects to a URL: only a new name can be in Location", ErrUnknown)
	}
	name := strings.Trim(location, "/")
	if !strings.Contains(name, "/") {
		app, _ := SplitPath(q.Path)
		name = app + "/" + name
	}
	return Answer{Path: name}, nil
}

// Tell sends what has happened later, by Run. It returns false when too many
// notifications wait already.
func (w *Webhook) Tell(q Question) bool {
	q.Done = true
	select {
	case w.queue <- q:
		return true
	default:
		return false
	}
}

// Run sends notifications, one after the other, until ctx ends; what waits
// then is tried once more. What can't be delivered is given to lost.
func (w *Webhook) Run(ctx context.Context, lost func(Question, error)) {
	for {
		select {
		case q := <-w.queue:
			if err := w.deliver(ctx, q); err != nil {
				lost(q, err)
			}
		case <-ctx.Done():
			w.drain(lost)
			return
		}
	}
}

func (w *Webhook) drain(lost func(Question, error)) {
	ended, cancel := context.WithTimeout(context.Background(), outbound.CallTime)
	defer cancel()
	for {
		select {
		case q := <-w.queue:
			if _, _, err := w.post(ended, q); err != nil {
				lost(q, err)
			}
		default:
			return
		}
	}
}

func (w *Webhook) deliver(ctx context.Context, q Question) error {
	for try := 0; ; try++ {
		// What is on its way when all ends has its five seconds.
		r, _, err := w.post(context.WithoutCancel(ctx), q)
		if err == nil {
			if r.StatusCode/100 == 2 {
				return nil
			}
			err = fmt.Errorf("the webhook answered %d", r.StatusCode)
		}
		if try == len(w.pauses) {
			return err
		}
		select {
		case <-time.After(w.pauses[try]):
		case <-ctx.Done():
			return err
		}
	}
}

// post returns an answer whose body is read and closed.
func (w *Webhook) post(ctx context.Context, q Question) (*http.Response, []byte, error) {
	body, kind := q.json(), "application/json"
	if w.style == StyleForm {
		body, kind = q.form(), "application/x-www-form-urlencoded"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("User-Agent", "sluice")
	if len(w.secret) > 0 {
		request.Header.Set(SignatureHeader, sign(w.secret, w.now().Unix(), body))
	}
	r, err := w.client.Do(request)
	if err != nil {
		return nil, nil, outbound.Plain(err)
	}
	defer r.Body.Close()
	answer, err := outbound.ReadAnswer(r)
	return r, answer, outbound.Plain(err)
}

func sign(secret []byte, unix int64, body []byte) string {
	t := strconv.FormatInt(unix, 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (q Question) json() []byte {
	action := string(q.Action)
	switch {
	case q.Done:
		action += "_done"
	case q.Action == Watch:
		action = "read" // as MediaMTX calls it
	}
	ip := ""
	if q.IP.IsValid() {
		ip = q.IP.String()
	}
	body, _ := json.Marshal(map[string]string{ // strings can be marshalled
		"id": q.ID, "action": action, "path": q.Path, "ip": ip,
		"user": q.User, "password": q.Password, "token": q.Token,
		"protocol": q.Protocol, "query": q.Query, "userAgent": q.UserAgent,
	})
	return body
}

// form is as nginx-rtmp has it, but for the client's own arguments: there they
// can stand in for the server's. Here their names begin with arg_.
func (q Question) form() []byte {
	call := string(q.Action)
	if q.Action == Watch {
		call = "play"
	}
	if q.Done {
		call += "_done"
	}
	app, name := SplitPath(q.Path)
	v := url.Values{
		"call": {call}, "app": {app}, "name": {name}, "clientid": {q.ID},
		"flashver": {q.UserAgent}, "tcurl": {q.TCURL}, "protocol": {q.Protocol},
	}
	if q.IP.IsValid() {
		v.Set("addr", q.IP.String())
	}
	if q.Action == Publish {
		v.Set("type", "live")
	}
	args, _ := url.ParseQuery(q.Query) // what can be read of it
	for name, values := range args {
		v["arg_"+name] = values
	}
	return []byte(v.Encode())
}

func isJSON(h http.Header) bool {
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return t == "application/json"
}
