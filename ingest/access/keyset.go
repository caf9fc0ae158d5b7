package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sluice-live/sluice/ingest/outbound"
)

const (
	keysFresh    = 15 * time.Minute // that long nobody asks whether they have changed
	keysInterval = 10 * time.Second // between two fetches, whatever tokens name
	keysMost     = 64
	rsaLeastBits = 2048
)

// keySet holds the keys of a JWKS URL. A token that names a key we don't have
// makes it look again, but not often: anybody can make up names.
type keySet struct {
	url    string
	client *http.Client
	turn   chan struct{} // held by the one that fetches

	mu      sync.Mutex
	keys    []setKey
	fetched time.Time // when it went well last
	tried   time.Time // when it was begun last
}

type setKey struct {
	id, alg string
	public  any
}

func newKeySet(url string) *keySet {
	return &keySet{url: url, client: outbound.NewClient(outbound.CallTime), turn: make(chan struct{}, 1)}
}

// find returns the keys that a token with these headers can be signed by.
func (s *keySet) find(ctx context.Context, alg, kid string, now time.Time) (jwt.VerificationKeySet, error) {
	found, old := s.lookup(alg, kid, now)
	if len(found.Keys) > 0 {
		if old { // these serve on while one looks whether there are others
			select {
			case s.turn <- struct{}{}:
				s.refresh(ctx, now)
				<-s.turn
				found, _ = s.lookup(alg, kid, now)
			default:
			}
		}
	} else {
		select {
		case s.turn <- struct{}{}:
			s.refresh(ctx, now)
			<-s.turn
		case <-ctx.Done():
			return found, ErrUnknown
		}
		found, _ = s.lookup(alg, kid, now)
	}
	if len(found.Keys) > 0 {
		return found, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetched.Before(s.tried) {
		return found, ErrUnknown
	}
	return found, errors.New("no such key")
}

func (s *keySet) lookup(alg, kid string, now time.Time) (found jwt.VerificationKeySet, old bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.alg == alg && (kid == "" || k.id == kid) {
			found.Keys = append(found.Keys, k.public)
		}
	}
	return found, now.Sub(s.fetched) > keysFresh
}

// refresh fetches the keys, if that was not done a moment ago. When it fails
// the old ones stay.
func (s *keySet) refresh(ctx context.Context, now time.Time) {
	s.mu.Lock()
	recent := !s.tried.IsZero() && now.Sub(s.tried) < keysInterval
	if !recent {
		s.tried = now
	}
	s.mu.Unlock()
	if recent {
		return
	}
	// One who hangs up must not keep the keys from all others.
	keys, err := s.fetch(context.WithoutCancel(ctx))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.fetched = keys, now
}

func (s *keySet) fetch(ctx context.Context) ([]setKey, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Accept", "application/json")
	r, err := s.client.Do(q)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("key set: %s", r.Status)
	}
	body, err := outbound.ReadAnswer(r)
	if err != nil {
		return nil, err
	}
	return parseKeySet(body)
}

// parseKeySet skips what we can't use: a set may hold keys for other things.
func parseKeySet(body []byte) ([]setKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > keysMost {
		return nil, fmt.Errorf("key set: more than %d keys", keysMost)
	}
	var keys []setKey
	for _, raw := range set.Keys {
		jwk, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		m := jwk.Marshal()
		alg := algorithmFor(jwk.Key())
		if alg == "" || m.USE == jwkset.UseEnc || m.ALG != "" && m.ALG.String() != alg {
			continue
		}
		keys = append(keys, setKey{id: m.KID, alg: alg, public: jwk.Key()})
	}
	if len(keys) == 0 {
		return nil, errors.New("key set: no key for RS256, ES256 or EdDSA")
	}
	return keys, nil
}

// algorithmFor is the one algorithm that a key is used with, or none.
func algorithmFor(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= rsaLeastBits {
			return "RS256"
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return "ES256"
		}
	case ed25519.PublicKey:
		return "EdDSA"
	}
	return ""
}
