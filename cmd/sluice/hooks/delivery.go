package hooks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/outbound"
)

// The headers of a delivery, by the specification Standard Webhooks.
const (
	idHeader        = "webhook-id"        // the same when it is repeated
	timeHeader      = "webhook-timestamp" // of this attempt, seconds since 1970
	signatureHeader = "webhook-signature"
)

// message is the body, in the shape that Standard Webhooks recommends.
type message struct {
	Type      admin.Kind  `json:"type"`
	Timestamp time.Time   `json:"timestamp"` // of the event
	Dropped   uint64      `json:"dropped"`   // events that this receiver was never told of, since the server began
	Data      admin.Event `json:"data"`      // as /api/v1/events has it
}

// delivery is one attempt to tell a receiver of an event.
type delivery struct {
	to      *receiver
	queue   *queue
	event   waiting
	dropped uint64
	secrets []Secret
}

// answer is what came of it.
type answer struct {
	err   error         // it wasn't heard
	later time.Duration // it is not to be sent again before
	note  string        // it was heard, but something is odd
	bad   bool          // it is the event that can't be taken
	gone  bool          // no other event will be taken, either
}

// badEvent are answers that say what is wrong with what was sent: the same bytes will get
// the same answer. Others, as 401 or 404, are of what is about the receiver, and pass.
var badEvent = []int{
	http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
}

// id is that of the event, for all attempts and receivers.
func (d *delivery) id() string { return d.to.hooks.idOf(d.event) }

func (h *Hooks) idOf(e waiting) string {
	return cmp.Or(e.id, h.process+"-"+strconv.FormatUint(e.ID, 10))
}

func (d *delivery) body() []byte {
	body, err := json.Marshal(message{d.event.Kind, d.event.At, d.dropped, d.event.Event})
	if err != nil {
		panic(err) // it is of our own types
	}
	return body
}

func (d *delivery) send(ctx context.Context) answer {
	body := d.body()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.to.url, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	// Deadlines of receivers are by the machine's clock.
	sign(request.Header, d.id(), time.Now(), body, d.secrets)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "sluice")
	r, err := d.to.hooks.client.Do(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded): // net/http has two texts for it
		return answer{err: fmt.Errorf("it didn't answer within %v", answerTime)}
	case err != nil:
		return answer{err: outbound.Plain(err)}
	}
	defer r.Body.Close()
	_, odd := outbound.ReadAnswer(r) // so that the connection can be used again
	switch r.StatusCode / 100 {
	case 2:
		if odd != nil {
			return answer{note: odd.Error()}
		}
		return answer{}
	case 3:
		return answer{err: fmt.Errorf("it answered %d: redirects are not followed", r.StatusCode)}
	}
	return answer{
		err: fmt.Errorf("it answered %d", r.StatusCode), later: retryAfter(r, time.Now()),
		bad: slices.Contains(badEvent, r.StatusCode), gone: r.StatusCode == http.StatusGone,
	}
}

// retryAfter is how long an answer asks to wait (RFC 9110, section 10.2.3), in seconds or
// until when, five minutes at most.
func retryAfter(r *http.Response, now time.Time) time.Duration {
	const most = 5 * time.Minute
	text := strings.TrimSpace(r.Header.Get("Retry-After"))
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, most)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), most)
}
