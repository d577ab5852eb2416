package grpcapi

import (
	"encoding/base64"
	"math"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestPageTokenComesBack(t *testing.T) {
	for _, want := range []pageToken{
		{revision: 1, after: "a"},
		{revision: math.MaxUint64, after: "ä\x00:/"},
	} {
		got, err := parsePageToken(want.text("entities", "blue", "user"), "entities", "blue", "user")
		if err != nil || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
}

func TestPageTokensThatAreRefused(t *testing.T) {
	token := pageToken{revision: 7, after: "mina"}
	good := token.text("entities", "blue", "user")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(i int) string {
		copied := append([]byte(nil), raw...)
		copied[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(copied)
	}
	tests := []struct{ name, text string }{
		{"of another tenant", token.text("entities", "red", "user")},
		{"of another type", token.text("entities", "blue", "group")},
		{"of another listing", token.text("grants", "blue", "user")},
		{"of filters that are split elsewhere", token.text("entities", "blueu", "ser")},
		{"no base64", "%%%"},
		{"padded", good + "="},
		{"cut", good[:len(good)-2]},
		{"nearly empty", good[:4]},
		{"with another fingerprint", changed(0)},
		{"with another revision", changed(fingerprintBytes)},
		{"with another position", changed(len(raw) - 1)},
		{"of revision 0", pageToken{after: "mina"}.text("entities", "blue", "user")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parsePageToken(tt.text, "entities", "blue", "user")
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("error = %v, want an invalid one", err)
			}
			if got := authz.ViolationsOf(err); len(got) != 1 || got[0].Field != "page_token" {
				t.Errorf("violations = %v, want one of page_token", got)
			}
		})
	}
}

func FuzzParsePageToken(f *testing.F) {
	f.Add("", "blue")
	f.Add("AAAAAAAAAAAA", "")
	f.Add(pageToken{revision: 7, after: "mina"}.text("blue"), "blue")
	f.Fuzz(func(t *testing.T, text, listing string) {
		token, err := parsePageToken(text, listing)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid {
				t.Errorf("error of kind %v: %v", authz.KindOf(err), err)
			}
			return
		}
		if text == "" {
			return
		}
		again, err := parsePageToken(token.text(listing), listing)
		if err != nil || again != token {
			t.Errorf("%+v came back as %+v, %v", token, again, err)
		}
	})
}
