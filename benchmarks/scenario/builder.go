package scenario

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// attributes are an entity's attributes.
type attributes = map[string]any

// A builder collects what a directory holds.
type builder struct {
	entities []authz.Entity
	grants   []authz.Grant
}

// add puts an entity into the directory.
func (b *builder) add(entity string, attributes attributes, parents ...string) {
	e := authz.Entity{Ref: ref(entity), Attributes: mustMarshal(attributes)}
	for _, parent := range parents {
		e.Parents = append(e.Parents, ref(parent))
	}
	b.entities = append(b.entities, e)
}

// grant gives a subject a role on a scope for ever. No scope is everything.
func (b *builder) grant(id, subject, role, scope string) {
	b.grantFor(id, subject, role, scope, time.Time{}, time.Time{})
}

// grantFor gives a role for a time.
func (b *builder) grantFor(id, subject, role, scope string, from, until time.Time) {
	b.grants = append(b.grants, authz.Grant{
		ID: id, Subject: ref(subject), Role: ref(role), Scope: ref(scope), NotBefore: from, NotAfter: until,
	})
}

// ref reads type:id, which is well formed wherever it is used here.
func ref(text string) authz.EntityRef {
	typ, id, _ := strings.Cut(text, ":")
	return authz.EntityRef{Type: typ, ID: id}
}

// mustMarshal is the JSON of attributes, which are made of what JSON can hold.
func mustMarshal(a attributes) json.RawMessage {
	if len(a) == 0 {
		return nil
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return text
}

// newRandom is the same stream of numbers for the same seed.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 42)) }

// where is a number below n of which all holds, and there must be one.
func where(random *rand.Rand, n int, holds ...func(i int) bool) int {
	for {
		i := random.IntN(n)
		if !slices.ContainsFunc(holds, func(holds func(int) bool) bool { return !holds(i) }) {
			return i
		}
	}
}

// congruent is a number below n that is i modulo m.
func congruent(random *rand.Rand, n, m, i int) int {
	first := i % m
	return first + m*random.IntN((n-first+m-1)/m)
}

// incongruent is a number below n that is not i modulo m.
func incongruent(random *rand.Rand, n, m, i int) int {
	return congruent(random, n, m, other(random, m, i%m))
}

// other is a number below n that is not i; n is at least 2.
func other(random *rand.Rand, n, i int) int { return (i + 1 + random.IntN(n-1)) % n }

// year is the beginning of a year.
func year(y int) time.Time { return time.Date(y, time.January, 1, 0, 0, 0, 0, time.UTC) }

// at is a time as policies read it.
func at(t time.Time) string { return t.Format(time.RFC3339) }

// now is the time of every decision.
func now() time.Time { return time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC) }
