package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-live/sluice/config/address"
)

// Login is when encoders are told, as they connect, to log in.
type Login string

// The ways. Whoever logs in unasked may do so always.
const (
	LoginAuto   Login = "auto"   // when there is no other way to get in
	LoginAlways Login = "always" // whoever doesn't log in can't connect
	LoginNever  Login = "never"
)

// Settings says who may publish. Whoever comes from an allowed network
// and satisfies any one of Keys, Users, Tokens and Webhook may; with none of
// those the network is enough.
type Settings struct {
	From    address.Networks
	Deny    address.Networks // never, whatever else they have
	Trusted address.Networks // never locked out for failing
	Keys    Keys
	Users   Users
	Login   Login
	Tokens  *Verifier // or nil
	Webhook *Webhook  // or nil

	Suffixes Suffixes // a key of a stream is good for its qualities, too

	Notify bool // tell the webhook when a publication that it admitted ends
	Now    func() time.Time
}

// Publishers decides who may publish. It may be asked by many at once.
type Publishers struct {
	settings   Settings
	challenges *challenges
	lockout    *lockout
}

// NewPublishers returns a judge that goes by s.
func NewPublishers(s Settings) *Publishers {
	return &Publishers{settings: s, challenges: new(challenges), lockout: new(lockout)}
}

// With returns one that goes by other settings, and knows who has failed and who
// is just logging in.
func (p *Publishers) With(s Settings) *Publishers {
	return &Publishers{settings: s, challenges: p.challenges, lockout: p.lockout}
}

// Encoder is who wants to publish, and what it has to show.
type Encoder struct {
	IP        netip.Addr
	App, Name string // Name may be a secret
	Query     string
	User      User // who has logged in, as Login has found
	Encrypted bool
	Software  string
	TCURL     string
}

// Admission is what somebody was let in for.
type Admission struct {
	Path string // APP/NAME, as viewers know it, and the suffix of a quality
	By   string // for the log: what got it in
	ID   string // of this publication, as the webhook has heard it
}

// open tells whether the network is all that matters.
func (p *Publishers) open() bool {
	s := &p.settings
	return len(s.Keys) == 0 && len(s.Users) == 0 && s.Tokens == nil && s.Webhook == nil
}

// Login judges how an encoder connects. It returns the user that it is, or
// none when it has not said; or a *LoginReply to answer with; or another error.
func (p *Publishers) Login(ip netip.Addr, query string) (user User, err error) {
	s := &p.settings
	if len(s.Users) == 0 {
		return User{}, nil
	}
	args, speaks := parseAdobe(query)
	if !speaks {
		if p.asksForLogin(query) {
			return User{}, &LoginReply{Description: askForLogin}
		}
		return User{}, nil
	}
	if err := p.approach(ip); err != nil {
		return User{}, err
	}
	user, err = p.challenges.login(s.Users, args, s.Now())
	return user, p.count(ip, err)
}

func (p *Publishers) asksForLogin(query string) bool {
	s := &p.settings
	switch s.Login {
	case LoginAlways:
		return true
	case LoginNever:
		return false
	}
	// Somebody who has put a user there means to be known by that.
	return len(s.Keys) == 0 && s.Tokens == nil && s.Webhook == nil && parseArgs(query).user == ""
}

// Admit judges who wants to publish. The error is ErrDenied or ErrUnknown, and
// repeats nothing that could be a secret.
func (p *Publishers) Admit(ctx context.Context, e Encoder) (Admission, error) {
	if err := p.approach(e.IP); err != nil {
		return Admission{}, err
	}
	if p.open() {
		return Admission{Path: e.App + "/" + e.Name, By: "network"}, nil
	}
	a, err := p.judge(ctx, e)
	return a, p.count(e.IP, err)
}

// approach judges where somebody comes from.
func (p *Publishers) approach(ip netip.Addr) error {
	s := &p.settings
	switch {
	case s.Deny.Contain(ip):
		return fmt.Errorf("%w: not from %v (publish.deny)", ErrDenied, ip)
	case !s.From.Contain(ip):
		return fmt.Errorf("%w: not from %v: publish.from in the configuration says who may publish", ErrDenied, ip)
	case p.lockout.locked(ip, s.Now()):
		return fmt.Errorf("%w: too many failures from %v: wait %v", ErrDenied, ip, lockoutTime)
	}
	return nil
}

// failure is an error that counts against an address: it has tried, and failed.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// Failed tells whether err is for somebody who has shown something wrong: the
// answer should take its time.
func Failed(err error) bool {
	var f failure
	return errors.As(err, &f)
}

func (p *Publishers) count(ip netip.Addr, err error) error {
	if !errors.Is(err, ErrDenied) {
		return err
	}
	if s := &p.settings; !s.Trusted.Contain(ip) {
		p.lockout.failed(ip, s.Now())
	}
	return failure{err}
}

// judge tries what there is, the cheapest first; the first yes counts.
func (p *Publishers) judge(ctx context.Context, e Encoder) (Admission, error) {
	s := &p.settings
	path := e.App + "/" + e.Name
	var no reasons
	if e.User != (User{}) {
		// A connection lives longer than the rules that it came by.
		if s.Users.know(e.User) {
			return Admission{Path: path, By: "user " + e.User.name}, nil
		}
		no.add("the user or the password that this connection has logged in with is no longer good")
	}
	if len(s.Keys) > 0 {
		path, err := s.Keys.publishes(e.App, e.Name, s.Suffixes)
		if err == nil {
			return Admission{Path: path, By: "key"}, nil
		}
		no.add(err.Error())
	}
	args := parseArgs(e.Query)
	if len(s.Users) > 0 {
		switch {
		case args.user == "":
			no.add("no user and password given")
		case s.Users.check(args.user, args.password):
			return Admission{Path: path, By: "user " + args.user}, nil
		default:
			no.add("wrong user or password")
			no.wrong = true
		}
	}
	if s.Tokens != nil {
		switch claims, err := p.verify(ctx, args); {
		case errors.Is(err, errNoToken):
			no.add("no token given (?token=)")
		case err != nil:
			no.addError(err)
		case !claims.Allows(Publish, path):
			no.add("the token is not for publishing this stream")
		default:
			return Admission{Path: path, By: "token of " + orNobody(claims.Subject)}, nil
		}
	}
	if s.Webhook != nil {
		q := questionOf(e, args, path)
		a, err := s.Webhook.Ask(ctx, q)
		if err == nil {
			if a.Path != "" {
				path = a.Path
			}
			return Admission{Path: path, By: "webhook", ID: q.ID}, nil
		}
		no.addError(err)
	}
	return Admission{}, no.err()
}

var errNoToken = errors.New("no token")

// verify takes a token where encoders can put one: in the query, or in the
// place of a password.
func (p *Publishers) verify(ctx context.Context, args queryArgs) (Claims, error) {
	token := args.token
	if token == "" && strings.Count(args.password, ".") == 2 {
		token = args.password
	}
	if token == "" {
		return Claims{}, errNoToken
	}
	return p.settings.Tokens.Verify(ctx, token, p.settings.Now())
}

func questionOf(e Encoder, args queryArgs, path string) Question {
	protocol := "rtmp"
	if e.Encrypted {
		protocol = "rtmps"
	}
	return Question{
		ID: rand.Text(), Action: Publish, Path: path, IP: e.IP,
		User: args.user, Password: args.password, Token: args.token,
		Protocol: protocol, Query: e.Query, UserAgent: e.Software, TCURL: e.TCURL,
	}
}

// Ended tells the webhook that a publication which it was asked for is over.
// It returns false when that can't be told any more.
func (p *Publishers) Ended(e Encoder, a Admission) bool {
	if !p.settings.Notify || p.settings.Webhook == nil || a.ID == "" {
		return true
	}
	q := questionOf(e, queryArgs{}, a.Path)
	q.ID, q.Query = a.ID, "" // secrets have done their work
	return p.settings.Webhook.Tell(q)
}

// queryArgs are the arguments of a query that say who somebody is.
type queryArgs struct{ user, password, token string }

func parseArgs(query string) queryArgs {
	v, _ := url.ParseQuery(query) // what can be read of it
	first := func(names ...string) string {
		for _, n := range names {
			if s := v.Get(n); s != "" {
				return s
			}
		}
		return ""
	}
	return queryArgs{
		user:     first("user"),
		password: first("pass", "password"),
		token:    first("token", "jwt"),
	}
}

// reasons collects why one was not let in.
type reasons struct {
	texts   []string
	unknown bool // one could not be asked
	wrong   bool // something that people make up was tried
}

func (r *reasons) add(text string) { r.texts = append(r.texts, text) }

func (r *reasons) addError(err error) {
	r.unknown = r.unknown || errors.Is(err, ErrUnknown)
	_, text, _ := strings.Cut(err.Error(), ": ")
	r.add(text)
}

// err is ErrUnknown where one could not be asked that might have said yes. But
// nobody may try passwords uncounted while a webhook is down.
func (r *reasons) err() error {
	kind := ErrDenied
	if r.unknown && !r.wrong {
		kind = ErrUnknown
	}
	return fmt.Errorf("%w: %s", kind, strings.Join(r.texts, "; "))
}

func orNobody(subject string) string {
	if subject == "" {
		return "nobody"
	}
	return fmt.Sprintf("%.64q", subject)
}
