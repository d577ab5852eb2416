package closure

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// To find out whether a token is signed takes some 100 µs, and comes to the same for
// the same token and the same keys. A client sends its token with each request, so
// those that were found to be signed are remembered, from one evaluation to the
// next. What is remembered is a digest: a token itself opens doors, and is not kept.
// Bad ones are not remembered, so that nobody can drive good ones out with them.
//
// OPA has a cache of its own for this (io_jwt), which is off unless it is asked for;
// it does not tell apart by which algorithm a token was found to be signed.

// verified are the built-ins whose results are remembered. Those of shared secrets
// take no longer than the digest.
var verified = map[string]bool{
	ast.JWTVerifyRS256.Name: true, ast.JWTVerifyRS384.Name: true, ast.JWTVerifyRS512.Name: true,
	ast.JWTVerifyPS256.Name: true, ast.JWTVerifyPS384.Name: true, ast.JWTVerifyPS512.Name: true,
	ast.JWTVerifyES256.Name: true, ast.JWTVerifyES384.Name: true, ast.JWTVerifyES512.Name: true,
	ast.JWTVerifyEdDSA.Name: true,
}

// signatures are the last tokens that were found to be signed. One that falls on
// another's place takes it. The places are made for the first one.
type signatures struct{ made atomic.Pointer[places] }

// places take 1.3 MB when all are taken.
type places [32 << 10]atomic.Pointer[digest]

// A digest tells calls apart: a built-in, a token and keys.
type digest [sha256.Size]byte

func (p *places) of(d *digest) *atomic.Pointer[digest] {
	return &p[binary.LittleEndian.Uint64(d[:])%uint64(len(p))]
}

// holds reports whether a token was found to be signed.
func (s *signatures) holds(d *digest) bool {
	p := s.made.Load()
	if p == nil {
		return false
	}
	found := p.of(d).Load()
	return found != nil && *found == *d
}

func (s *signatures) add(d digest) {
	p := s.made.Load()
	if p == nil {
		s.made.CompareAndSwap(nil, new(places))
		p = s.made.Load()
	}
	p.of(&d).Store(&d)
}

// digestOf is the digest of a call.
func digestOf(m *machine, name string, token, keys ast.String) digest {
	text := append(m.line[:0], name...)
	text = binary.LittleEndian.AppendUint64(text, uint64(len(token)))
	text = append(append(text, token...), keys...)
	m.line = text
	return sha256.Sum256(text)
}

// verify is the code of a call that finds out whether a token is signed; nil for
// other calls. Call makes the code of the call on other operands.
func (c *coder) verify(e callBuiltin, args []value, call func(args []value) value) value {
	if !verified[e.name] || len(args) != 2 {
		return nil
	}
	token, keys := args[0], args[1]
	called := call([]value{
		func(m *machine) *ast.Term { return m.passed[0] },
		func(m *machine) *ast.Term { return m.passed[1] },
	})
	toll := tollOf(e.name)
	return func(m *machine) *ast.Term {
		x := token(m)
		if x == nil {
			return nil
		}
		y := keys(m)
		if y == nil {
			return nil
		}
		text, isText := x.Value.(ast.String)
		known, areTexts := y.Value.(ast.String)
		if !isText || !areTexts {
			m.passed[0], m.passed[1] = x, y
			return called(m)
		}
		d := digestOf(m, e.name, text, known)
		if m.signatures.holds(&d) {
			if !m.step() || !toll.charge(m, operands{x, y}) {
				return nil
			}
			return ast.InternedTerm(true)
		}
		m.passed[0], m.passed[1] = x, y
		result := called(m)
		if result != nil && m.err == nil && result.Value == ast.Value(ast.Boolean(true)) {
			m.signatures.add(d)
		}
		return result
	}
}
