package caller

import (
	"cmp"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// KeysOptions are what Keys are made of. Read and Logger are required.
type KeysOptions struct {
	// Name is where the keys come from, to people.
	Name string
	// Read yields a JWK set (RFC 7517, section 5), of at most MaxKeysBytes.
	Read func(context.Context) ([]byte, error)
	// Interval is how often they are read; 0 means DefaultKeysInterval.
	Interval time.Duration
	// Stale is for how long they are good that were read last; 0 means
	// DefaultKeysStale.
	Stale  time.Duration
	Logger *zap.Logger
	// Clock is nil for time.Now.
	Clock func() time.Time
}

// Defaults and bounds of keys.
const (
	DefaultKeysInterval = 5 * time.Minute
	DefaultKeysStale    = 24 * time.Hour
	MaxKeysBytes        = 1 << 20
	// maxKeys is how many keys a set may have.
	maxKeys = 100
	// minRSABits is what NIST asks for (SP 800-131A).
	minRSABits = 2048
	// maxReading is how long keys may take to be read.
	maxReading = 10 * time.Second
	// betweenAsks is the least time between two readings, whatever tokens ask for.
	betweenAsks = 10 * time.Second
	// minLeftAlone is for how long what could not be read is left alone.
	minLeftAlone = 10 * time.Second
)

// Keys are the public keys of an issuer, which are read again and again.
type Keys struct {
	options KeysOptions
	current atomic.Pointer[keySet]
	asked   chan struct{}
}

// A keySet is the keys at a time.
type keySet struct {
	name string
	keys []jose.JSONWebKey
	// until is when they are too old to be good.
	until time.Time
}

// NewKeys makes Keys, of which there are none before they were read.
func NewKeys(o KeysOptions) *Keys {
	o.Interval = cmp.Or(o.Interval, DefaultKeysInterval)
	o.Stale = cmp.Or(o.Stale, DefaultKeysStale)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	k := &Keys{options: o, asked: make(chan struct{}, 1)}
	k.current.Store(&keySet{name: o.Name})
	return k
}

// Read reads the keys once. On an error, those before stay.
func (k *Keys) Read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxReading)
	defer cancel()
	text, err := k.options.Read(ctx)
	if err != nil {
		return fmt.Errorf("keys of %s: %w", k.options.Name, err)
	}
	keys, err := parseKeys(text)
	if err != nil {
		return fmt.Errorf("keys of %s: %w", k.options.Name, err)
	}
	until := k.options.Clock().Add(k.options.Stale)
	k.current.Store(&keySet{name: k.options.Name, keys: keys, until: until})
	return nil
}

// refresh reads the keys again and again until ctx ends, sooner when it is asked to.
func (k *Keys) refresh(ctx context.Context) {
	for failure := ""; ; {
		if !k.wait(ctx, k.pause(failure != "")) {
			return
		}
		switch err := k.Read(ctx); {
		case ctx.Err() != nil:
			return
		case err == nil:
			failure = ""
		case err.Error() != failure:
			failure = err.Error()
			k.options.Logger.Error("the keys of an issuer of tokens could not be read: those before stay, until they are too old",
				zap.Time("good_until", k.current.Load().until), zap.Error(err))
		}
	}
}

// pause is until the keys are to be read again: sooner where they could not be read, or
// never were.
func (k *Keys) pause(failed bool) time.Duration {
	if failed || k.current.Load().until.IsZero() {
		return min(k.options.Interval, minLeftAlone)
	}
	return k.options.Interval
}

// wait returns when the keys are to be read, or false when ctx has ended.
func (k *Keys) wait(ctx context.Context, interval time.Duration) bool {
	due := time.NewTimer(interval)
	defer due.Stop()
	pause := time.NewTimer(min(betweenAsks, interval))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-due.C:
	case <-k.asked:
	}
	return true
}

// ask has the keys read soon. It never waits.
func (k *Keys) ask() {
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

// usable reports why the keys are not good for anything.
func (s *keySet) usable(now time.Time) error {
	switch {
	case s.until.IsZero():
		return refuse("no token of this issuer can be verified: its keys could not be read yet, as the log says")
	case now.After(s.until):
		return refuse("no token of this issuer can be verified: its keys could not be read since long, as the log says")
	}
	return nil
}

// candidates are the keys that may have signed a token: those of the id that it names,
// or all where it names none, if they are for this algorithm.
func (s *keySet) candidates(id, algorithm string) (keys []jose.JSONWebKey) {
	for _, key := range s.keys {
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == algorithm) {
			keys = append(keys, key)
		}
	}
	return keys
}

// signs reports whether a key may be for signatures of an algorithm that is known here,
// as far as go-jose does not look: it takes a key whatever its operations (RFC 7517,
// section 4.3), and one on a curve that it does not know for an error, where a set may
// have others for others (section 5).
func signs(text []byte) bool {
	var key struct {
		Type       string   `json:"kty"`
		Curve      string   `json:"crv"`
		Operations []string `json:"key_ops"`
	}
	if json.Unmarshal(text, &key) != nil {
		return true // and is refused as it is read
	}
	return (key.Operations == nil || slices.Contains(key.Operations, "verify")) &&
		(key.Type != "EC" || slices.Contains([]string{"P-256", "P-384", "P-521"}, key.Curve))
}

// parseKeys reads a JWK set. Keys of kinds that are not known, and those for something
// else than signatures, are left out; a secret is refused, since whoever may read it
// can sign.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	if len(text) > MaxKeysBytes {
		return nil, authz.Errorf(authz.LimitExceeded, "the set has more than %d bytes", MaxKeysBytes)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, authz.Errorf(authz.Invalid, "this is no JWK set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, authz.Errorf(authz.LimitExceeded, "the set has %d keys: at most %d are allowed", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for i, text := range set.Keys {
		if !signs(text) {
			continue
		}
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil {
			if errors.Is(err, jose.ErrUnsupportedKeyType) {
				continue
			}
			return nil, authz.Errorf(authz.Invalid, "key %d: %w", i, err)
		}
		if !key.IsPublic() {
			return nil, authz.Errorf(authz.Invalid, "key %d is a secret one: expected public keys alone", i)
		}
		if key.Use != "" && key.Use != "sig" {
			continue
		}
		if public, isRSA := key.Key.(*rsa.PublicKey); isRSA && public.N.BitLen() < minRSABits {
			return nil, authz.Errorf(authz.Invalid, "key %d has %d bits: expected at least %d", i, public.N.BitLen(), minRSABits)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, authz.Errorf(authz.Invalid, "the set has no key for signatures")
	}
	return keys, nil
}
