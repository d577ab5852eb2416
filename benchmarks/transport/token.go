package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
)

var encode = base64.RawURLEncoding.EncodeToString

// half is how long a coordinate of a point on P-256 is, and a half of a signature.
const half = 32

// publicKey is a key on P-256 as a JSON Web Key (RFC 7518, section 6.2.1).
func publicKey(key *ecdsa.PrivateKey) (map[string]any, error) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": "k", "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}, nil
}

// sign makes a token of claims (RFC 7515, section 3).
func sign(key *ecdsa.PrivateKey, claims string) (string, error) {
	text := encode([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [2 * half]byte
	for i, part := range []*big.Int{r, s} {
		part.FillBytes(signature[i*half : (i+1)*half])
	}
	return text + "." + encode(signature[:]), nil
}
