package closure

import (
	"hash/maphash"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// texts are terms of short texts that a machine has come across lately: types,
// actions and permissions come again with every decision, and need no new term
// each time. A text that falls on another's place takes it.
type texts struct {
	seed  maphash.Seed
	terms [textCount]*ast.Term
	known recollections // of built-ins
}

const (
	textCount    = 256
	maxTextBytes = 128
)

// term is the term of a text.
func (t *texts) term(text string) *ast.Term {
	if len(text) > maxTextBytes {
		return ast.StringTerm(text)
	}
	place := &t.terms[maphash.String(t.seed, text)%textCount]
	if *place != nil && string((*place).Value.(ast.String)) == text {
		return *place
	}
	*place = ast.StringTerm(text)
	return *place
}

// part is the term of a part of a text, which it does not hold on to.
func (t *texts) part(text string) *ast.Term {
	if len(text) > maxTextBytes {
		return ast.StringTerm(text)
	}
	place := &t.terms[maphash.String(t.seed, text)%textCount]
	if *place == nil || string((*place).Value.(ast.String)) != text {
		*place = ast.StringTerm(strings.Clone(text))
	}
	return *place
}

// made is the term of a text that was just put together, whose bytes it does not
// hold on to.
func (t *texts) made(text []byte) *ast.Term {
	if len(text) > maxTextBytes {
		return ast.StringTerm(string(text))
	}
	place := &t.terms[maphash.Bytes(t.seed, text)%textCount]
	if *place == nil || string((*place).Value.(ast.String)) != string(text) {
		*place = ast.StringTerm(string(text))
	}
	return *place
}
