package grpcapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/verdictpdp/verdict/api/authz"
)

// A pageToken is where the next page of a listing begins. To a caller it is
// opaque.
//
// Its text holds a fingerprint of the listing and of the token itself, so that
// one that was cut, changed or taken from another listing is refused. The
// fingerprint is no secret: a token made up on purpose reaches nothing that a
// listing from its first page would not.
type pageToken struct {
	// revision is the directory revision of the first page.
	revision uint64
	// after is the last id of the page before.
	after string
}

const fingerprintBytes = 8

// text is the token of a listing, which its parameters tell from others.
func (t pageToken) text(listing ...string) string {
	body := binary.AppendUvarint(nil, t.revision)
	body = append(body, t.after...)
	return base64.RawURLEncoding.EncodeToString(append(fingerprint(body, listing), body...))
}

// parsePageToken reads the token of a listing. The empty text is the zero
// token, of the first page.
func parsePageToken(text string, listing ...string) (pageToken, error) {
	if text == "" {
		return pageToken{}, nil
	}
	refused := authz.InvalidField("page_token",
		"this is no next_page_token of this listing: repeat the tenant and the filters that it was given for, or start without one")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < fingerprintBytes {
		return pageToken{}, refused
	}
	mark, body := raw[:fingerprintBytes], raw[fingerprintBytes:]
	if string(mark) != string(fingerprint(body, listing)) {
		return pageToken{}, refused
	}
	revision, n := binary.Uvarint(body)
	if revision == 0 { // or none
		return pageToken{}, refused
	}
	return pageToken{revision: revision, after: string(body[n:])}, nil
}

func fingerprint(body []byte, listing []string) []byte {
	var text []byte
	for _, part := range listing {
		text = binary.AppendUvarint(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(append(text, body...))
	return sum[:fingerprintBytes]
}
