package caller

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Hash is the SHA-256 of a bearer token.
//
// A token is random and long, unlike a password, so that nobody finds it from its hash
// by guessing, and a slow hash with a salt would only cost each call.
type Hash [sha256.Size]byte

// HashOf is the hash of a token.
func HashOf(token string) Hash {
	var room [128]byte // so that no call makes any
	return sha256.Sum256(append(room[:0], token...))
}

// NewToken makes a token, of 256 random bits. The text before them lets people, and
// what looks for secrets that have leaked, tell what it is.
func NewToken() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it never fails
	return "verdict_" + hex.EncodeToString(secret[:])
}

// String is the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// UnmarshalText implements encoding.TextUnmarshaler: 64 hexadecimal digits. Its error does
// not quote the text, which may be the token.
func (h *Hash) UnmarshalText(text []byte) error {
	digits, err := hex.DecodeString(string(text))
	if err != nil || len(digits) != len(h) {
		return errors.New("is no hash of a token: expected the 64 hexadecimal digits that verdict token prints")
	}
	copy(h[:], digits)
	return nil
}

// MaxTokens is how many tokens can be configured: each costs every call that brings
// one some nanoseconds.
const MaxTokens = 1_000

// A TokenHash is a token that is known by its hash, and whose it is.
type TokenHash struct {
	Subject authz.EntityRef
	Hash    Hash
}

// tokens are the tokens that are known.
type tokens []TokenHash

// holder is whose token it is. All hashes are looked at, each to its end, so that the
// time tells nothing of how close a guess has come.
func (t tokens) holder(token string) (subject authz.EntityRef, known bool) {
	hash := HashOf(token)
	found := -1
	for i := range t {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], t[i].Hash[:]), i, found)
	}
	if found < 0 {
		return authz.EntityRef{}, false
	}
	return t[found].Subject, true
}
