package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

const (
	// prefix is in front of what the processes say to each other. No stream's app begins so.
	prefix = "/_upgrade/"
	// fromHeader has the address of the viewer who asks.
	fromHeader = "Sluice-Viewer"
	// askTimeout is for what is answered at once, claimTimeout for a stream: its old
	// connection may have to fall silent first, and its window has megabytes.
	askTimeout   = 10 * time.Second
	claimTimeout = 30 * time.Second
	// mostMore bounds what is said of a stream besides: a few events for each web service.
	mostMore = 4 << 20
	// mostTold bounds what a process says of why it fails, mostAsked what it says of one who
	// plays.
	mostTold  = 4 << 10
	mostAsked = 64 << 10
)

// ErrAbsent means that the other process hasn't a stream, either.
var ErrAbsent = errors.New("the other process hasn't the stream")

// ErrBusy means that the other process has a stream whose encoder is there.
var ErrBusy = errors.New("the stream has a publisher in the process before this one")

// Inheritance is what a new process must know before it can take anything over.
type Inheritance struct {
	Secret []byte        // that passes are signed with where the configuration has none
	Clock  time.Duration // how far the clock of all rooms is ahead of the machine's
}

// Neighbour is the other process.
type Neighbour struct {
	wire   *Wire
	client *http.Client
}

// NewNeighbour is for either end.
func NewNeighbour(w *Wire) *Neighbour {
	return &Neighbour{wire: w, client: &http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return w.Dial(ctx) },
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second, DisableCompression: true,
	}}}
}

// Gone is closed when the other process is gone.
func (n *Neighbour) Gone() <-chan struct{} { return n.wire.Gone() }

// ask says something to the other process. The answer's body is to be closed.
func (n *Neighbour) ask(ctx context.Context, what string, body []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://neighbour"+prefix+what, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := n.client.Do(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the other process: %w", err)
	case answer.StatusCode == http.StatusConflict:
		answer.Body.Close()
		return nil, ErrBusy
	case answer.StatusCode == http.StatusNotFound:
		answer.Body.Close()
		return nil, ErrAbsent
	case answer.StatusCode != http.StatusOK:
		text, _ := io.ReadAll(io.LimitReader(answer.Body, mostTold))
		answer.Body.Close()
		return nil, fmt.Errorf("the other process: %s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	return answer.Body, nil
}

func (n *Neighbour) tell(ctx context.Context, patience time.Duration, what string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := n.ask(ctx, what, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	return io.ReadAll(io.LimitReader(answer, mostTold))
}

// Begin asks the old process for what is inherited.
func (n *Neighbour) Begin(ctx context.Context) (all Inheritance, err error) {
	b, err := n.tell(ctx, askTimeout, "begin", nil)
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	return all, err
}

// Fail tells the old process why this one can't serve.
func (n *Neighbour) Fail(why error) {
	text := why.Error()
	_, _ = n.tell(context.Background(), askTimeout, "failed", []byte(text[:min(len(text), mostTold)]))
}

// Ready tells the old process that this one can serve, and returns when it is to.
func (n *Neighbour) Ready(ctx context.Context) error {
	_, err := n.tell(ctx, Patience, "ready", nil)
	return err
}

// Stop tells the old process to stop, too, and waits until it is gone, until ctx ends.
func (n *Neighbour) Stop(ctx context.Context) {
	_, _ = n.tell(ctx, askTimeout, "stop", nil)
	select {
	case <-n.Gone():
	case <-ctx.Done():
	}
}

// Claim has a stream handed over, whose encoder has come to this process to push a name.
// take reads it; when it returns nil, the old process forgets the stream, and says what there
// is to know of it besides.
func (n *Neighbour) Claim(ctx context.Context, stream, pushed string, take func(io.Reader) error) (more []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	names, _ := json.Marshal(Claim{stream, pushed})
	answer, err := n.ask(ctx, "claim", names)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	if err := take(answer); err != nil {
		return nil, err
	}
	ctx, late := context.WithTimeout(ctx, askTimeout)
	defer late()
	rest, err := n.ask(ctx, "taken", names)
	if err != nil {
		return nil, err
	}
	defer rest.Close()
	return io.ReadAll(io.LimitReader(rest, mostMore))
}

// Offer tells the new process of a stream that rests here: it claims it.
func (n *Neighbour) Offer(ctx context.Context, c Claim) error {
	names, _ := json.Marshal(c)
	_, err := n.tell(ctx, claimTimeout, "offer", names)
	return err
}

// Play has what the other process gives to one who plays a stream by RTMP here. It ends with ctx, or when
// it is closed.
func (n *Neighbour) Play(ctx context.Context, asked []byte) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(askTimeout, cancel)
	body, err := n.ask(ctx, "play", asked)
	if !late.Stop() && err == nil {
		body.Close()
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return given{body, cancel}, nil
}

// given is an answer whose request ends when it is closed.
type given struct {
	io.ReadCloser
	end context.CancelFunc
}

func (g given) Close() error { g.end(); return g.ReadCloser.Close() }

// Claim names a stream, and what its encoder pushes: APP/NAME both.
type Claim struct{ Stream, Pushed string }

type wired struct{}

// Forward passes a viewer's request on. It tells whether it was answered: where the other
// process lacks the stream, too, nothing was.
func (n *Neighbour) Forward(w http.ResponseWriter, r *http.Request) (answered bool) {
	if r.Context().Value(wired{}) != nil {
		return false // it has come from there
	}
	answered = true
	p := httputil.ReverseProxy{
		Transport: n.client.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "neighbour"
			p.Out.Header.Set(fromHeader, r.RemoteAddr)
			for _, name := range []string{"Forwarded", "X-Forwarded-For"} {
				p.Out.Header.Del(name) // it was looked at
			}
		},
		ModifyResponse: func(a *http.Response) error {
			if a.StatusCode == http.StatusNotFound {
				return errElsewhere
			}
			for name := range a.Header {
				w.Header().Del(name)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) { answered = r.Context().Err() != nil },
		ErrorLog:     stdlog.New(io.Discard, "", 0),
	}
	p.ServeHTTP(w, r)
	return answered
}

var errElsewhere = errors.New("the stream isn't there, either")

// House is what the other process asks of this one.
type House interface {
	Inheritance() Inheritance
	// Ready rests what this process accepts. The new one serves when it returns.
	Ready()
	Failed(why string)
	Stop()
	// HandOver returns a stream whose encoder has come to the other process: ErrBusy, where
	// it is here yet. Taken is told when the other process has it, and returns what it is to
	// know of it besides.
	HandOver(context.Context, Claim) (write func(io.Writer) error, err error)
	Taken(Claim) (more []byte)
	// Play returns how a stream is written for one who plays it by RTMP in the other process:
	// ErrAbsent, where it isn't here.
	Play(asked []byte) (write func(context.Context, io.Writer) error, err error)
	// Offered is told of a stream that rests in the other process.
	Offered(context.Context, Claim) error
}

// Serve answers the other process until it is gone: what it asks of h, and what viewers ask
// by it.
func (n *Neighbour) Serve(h House, viewers http.Handler, log zerolog.Logger) {
	mux := http.NewServeMux()
	on := func(what string, do func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc("POST "+prefix+what, do)
	}
	on("begin", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(h.Inheritance()) })
	on("ready", func(http.ResponseWriter, *http.Request) { h.Ready() })
	on("stop", func(http.ResponseWriter, *http.Request) { h.Stop() })
	on("failed", func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(io.LimitReader(r.Body, mostTold))
		h.Failed(string(text))
	})
	on("claim", func(w http.ResponseWriter, r *http.Request) {
		c, err := claimOf(r)
		var write func(io.Writer) error
		if err == nil {
			write, err = h.HandOver(r.Context(), c)
		}
		switch {
		case errors.Is(err, ErrBusy):
			http.Error(w, err.Error(), http.StatusConflict)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			if err := write(w); err != nil {
				log.Warn().Err(err).Str("stream", c.Stream).Msg("a stream could not be handed over")
				panic(http.ErrAbortHandler)
			}
		}
	})
	on("taken", func(w http.ResponseWriter, r *http.Request) {
		if c, err := claimOf(r); err == nil {
			_, _ = w.Write(h.Taken(c))
		}
	})
	on("play", func(w http.ResponseWriter, r *http.Request) {
		asked, err := io.ReadAll(io.LimitReader(r.Body, mostAsked))
		var write func(context.Context, io.Writer) error
		if err == nil {
			write, err = h.Play(asked)
		}
		switch {
		case errors.Is(err, ErrAbsent):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			if err := write(r.Context(), w); err != nil {
				panic(http.ErrAbortHandler) // the end of the answer would be that of the stream
			}
		}
	})
	on("offer", func(w http.ResponseWriter, r *http.Request) {
		c, err := claimOf(r)
		if err == nil {
			err = h.Offered(r.Context(), c)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), wired{}, true))
		r.RemoteAddr = r.Header.Get(fromHeader)
		r.Header.Del(fromHeader)
		viewers.ServeHTTP(w, r)
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: askTimeout, ErrorLog: stdlog.New(io.Discard, "", 0)}
	_ = s.Serve(n.wire) // it ends with the wire
	_ = s.Close()
}

func claimOf(r *http.Request) (c Claim, err error) {
	err = json.NewDecoder(io.LimitReader(r.Body, mostTold)).Decode(&c)
	return c, err
}
