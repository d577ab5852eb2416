package pdp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A searchToken is where the next page of a search begins, and what all its pages
// rest on. To a caller it is opaque.
//
// It is signed, for it says at what time candidates are decided: a caller who could
// choose that would be allowed what a grant has stopped allowing. The key is the
// process's own, so that a token is good for as long as the process runs.
type searchToken struct {
	policy    policyIdentity
	directory uint64
	now       time.Time
	limit     int
	after     string // the last candidate of the page before
}

func (t searchToken) isSet() bool { return t.directory != 0 }

// A policyIdentity tells policies apart.
type policyIdentity [8]byte

func identityOf(p Policy) policyIdentity {
	sum := sha256.Sum256([]byte(p.Revision + "\x00" + p.Digest))
	return policyIdentity(sum[:])
}

func (i policyIdentity) is(p Policy) bool { return i == identityOf(p) }

// searchTokens writes and reads tokens.
type searchTokens struct{ key [sha256.Size]byte }

func newSearchTokens() *searchTokens {
	t := new(searchTokens)
	rand.Read(t.key[:]) // which never fails
	return t
}

// signatureBytes is how much of a signature a token has.
const signatureBytes = 16

// pins are what all pages rest on.
func (t searchToken) pins() []byte {
	pins := append([]byte(nil), t.policy[:]...)
	pins = binary.AppendUvarint(pins, t.directory)
	return binary.AppendVarint(pins, t.now.UnixNano())
}

// A searchName tells searches apart, of all tenants, by what all their pages have in
// common.
type searchName [signatureBytes]byte

// name is the name of the search that a token is of.
func (t *searchTokens) name(token searchToken, what SearchFor, request *authz.Request) (searchName, error) {
	signature, err := t.sign(token.pins(), what, request)
	if err != nil {
		return searchName{}, err
	}
	return searchName(signature), nil
}

// text is a token of a search for something.
func (t *searchTokens) text(token searchToken, what SearchFor, request *authz.Request) (string, error) {
	body := binary.AppendUvarint(token.pins(), uint64(token.limit))
	body = append(body, token.after...)
	signature, err := t.sign(body, what, request)
	return base64.RawURLEncoding.EncodeToString(append(signature, body...)), err
}

// parse reads a token of a search for something. The empty text is the zero token,
// of the first page.
func (t *searchTokens) parse(text string, what SearchFor, request *authz.Request) (searchToken, error) {
	if text == "" {
		return searchToken{}, nil
	}
	refused := authz.InvalidField("page_token",
		"this is no token of this search: repeat what it was given for, to the same server, or search without one from the beginning")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < signatureBytes || base64.RawURLEncoding.EncodeToString(raw) != text {
		return searchToken{}, refused
	}
	body := raw[signatureBytes:]
	signature, err := t.sign(body, what, request)
	if err != nil {
		return searchToken{}, err
	}
	if !hmac.Equal(signature, raw[:signatureBytes]) {
		return searchToken{}, refused
	}
	token, read := readSearchToken(body)
	if !read {
		return searchToken{}, refused
	}
	return token, nil
}

// readSearchToken reads what text has written.
func readSearchToken(body []byte) (searchToken, bool) {
	var token searchToken
	if len(body) < len(token.policy) {
		return searchToken{}, false
	}
	body = body[copy(token.policy[:], body):]
	directory, n := binary.Uvarint(body)
	if n <= 0 || directory == 0 {
		return searchToken{}, false
	}
	body = body[n:]
	now, n := binary.Varint(body)
	if n <= 0 {
		return searchToken{}, false
	}
	body = body[n:]
	limit, n := binary.Uvarint(body)
	if n <= 0 || limit == 0 || limit > math.MaxInt32 {
		return searchToken{}, false
	}
	token.directory, token.now, token.limit, token.after = directory, time.Unix(0, now), int(limit), string(body[n:])
	return token, true
}

// sign is the signature of a token's body and of the search that it is for.
func (t *searchTokens) sign(body []byte, what SearchFor, request *authz.Request) ([]byte, error) {
	asked, err := json.Marshal(request)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "the request cannot be written: %w", err)
	}
	mac := hmac.New(sha256.New, t.key[:])
	mac.Write(binary.AppendUvarint([]byte{byte(what)}, uint64(len(asked))))
	mac.Write(asked)
	mac.Write(body)
	return mac.Sum(nil)[:signatureBytes], nil
}
