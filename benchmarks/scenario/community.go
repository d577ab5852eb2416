package scenario

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// A workload is an application that people share things in. Its worlds have
// entities of several kinds, equally many of each, and one policy in two forms:
// with the entities in the directory, and with all of them in the request.
type workload struct {
	name string
	what string
	// refs are the attributes that hold refs.
	refs []string
	// populate adds n entities of each kind to a community.
	populate func(c *community)
	// draw is somebody who asks, and for what; anybody, or somebody of whom
	// the resource makes mention.
	draw func(c *community) (subject, action, resource string)
	// allows is whether they may.
	allows func(c *community, subject, action, resource string) bool
}

func workloads() []workload { return []workload{documents(), code(), lists()} }

// sizes are how many entities of each kind a community has.
func sizes() []int { return []int{5, 50, 500} }

// communities is how many communities of a size make a world: so many that
// there are enough questions, and that not all are about the same entities.
func communities(n int) int { return max(4, 200/n) }

// scenarios are the rows of a workload.
func (w workload) scenarios() []Scenario {
	var all []Scenario
	for _, form := range []string{"directory", "input"} {
		for _, n := range sizes() {
			all = append(all, Scenario{
				Name:  fmt.Sprintf("%s-%s-%d", w.name, form, n),
				What:  fmt.Sprintf("%s, %d of each kind, in the %s", w.what, n, form),
				Input: form == "input",
				Large: n == slices.Max(sizes()),
				World: func() (*World, error) { return w.world(form, n) },
			})
		}
	}
	return all
}

// world makes a world in one of the forms.
func (w workload) world(form string, n int) (*World, error) {
	b, err := policy(w.name + "/" + form)
	if err != nil {
		return nil, err
	}
	c, err := cedarPolicy(w.name, w.refs...)
	if err != nil {
		return nil, err
	}
	return w.fill(&World{Tenant: w.name, Bundle: b, Cedar: c, Now: now()}, form == "input", n)
}

// fill makes the communities of a world and the questions about them.
func (w workload) fill(world *World, sent bool, n int) (*World, error) {
	random := newRandom(9)
	all := make([]*community, communities(n))
	for k := range all {
		c := &community{random: random, number: k, size: n, attributes: map[string]attributes{}, parents: map[string][]string{}}
		w.populate(c)
		if sent {
			c.send()
		} else {
			world.Entities = append(world.Entities, c.entities...)
		}
		all[k] = c
	}
	question := func(allowed bool) func() Question {
		return func() Question {
			for {
				c := all[random.IntN(len(all))]
				subject, action, resource := w.draw(c)
				if w.allows(c, subject, action, resource) == allowed {
					r := request(w.name, subject, action, resource, c.context)
					return Question{Request: r, Allowed: allowed, Sent: c.sent}
				}
			}
		}
	}
	var err error
	world.Questions, err = ask(random, question(true), question(false))
	return world, err
}

// A community is entities that know of each other and of no others.
type community struct {
	builder
	random     *rand.Rand
	number     int
	size       int // entities of each kind
	attributes map[string]attributes
	parents    map[string][]string

	// Where requests carry the entities:
	sent    *Sent
	context authz.Object
}

// ref is the i-th entity of a kind.
func (c *community) ref(kind string, i int) string {
	return fmt.Sprintf("%s:c%02d-%03d", kind, c.number, i)
}

// any is an entity of a kind.
func (c *community) any(kind string) string { return c.ref(kind, c.random.IntN(c.size)) }

// some are different entities of a kind: one in a small community, and more as
// it grows.
func (c *community) some(kind string) []string {
	const perEntity = 25 // one more for so many
	var chosen []string
	for _, i := range c.random.Perm(c.size)[:1+c.size/perEntity] {
		chosen = append(chosen, c.ref(kind, i))
	}
	return chosen
}

// put adds an entity, and remembers it for the answers.
func (c *community) put(entity string, a attributes, parents ...string) {
	c.add(entity, a, parents...)
	c.attributes[entity], c.parents[entity] = a, parents
}

// tree adds a kind whose entities are below one another, each above up to
// three. The first is on top.
func (c *community) tree(kind string) {
	for i := range c.size {
		if i == 0 {
			c.put(c.ref(kind, i), nil)
		} else {
			c.put(c.ref(kind, i), nil, c.ref(kind, (i-1)/3))
		}
	}
}

// chance is true in so many cases of a hundred.
func (c *community) chance(percent int) bool { return c.random.IntN(100) < percent }

// isWithin reports whether an entity is, or is below, one of some places.
func (c *community) isWithin(entity string, places ...string) bool {
	for _, place := range places {
		if entity == place || c.isWithinAbove(entity, place) {
			return true
		}
	}
	return false
}

func (c *community) isWithinAbove(entity, place string) bool {
	for _, parent := range c.parents[entity] {
		if c.isWithin(parent, place) {
			return true
		}
	}
	return false
}

// text and refs are an attribute of an entity.
func (c *community) text(entity, name string) string {
	text, _ := c.attributes[entity][name].(string)
	return text
}

func (c *community) refs(entity, name string) []string {
	refs, _ := c.attributes[entity][name].([]string)
	return refs
}

func (c *community) holds(entity, name string) bool { return c.attributes[entity][name] == true }

// send makes the context that the community's requests carry.
func (c *community) send() {
	c.sent = &Sent{Name: fmt.Sprint(c.number), Entities: c.entities}
	entities, parents := authz.Object{}, authz.Object{}
	for _, e := range c.entities {
		ref := e.Ref.String()
		above := []any{}
		for _, parent := range e.Parents {
			above = append(above, parent.String())
		}
		entities[ref] = authz.Object{"ref": ref, "attributes": plain(e.Attributes)}
		parents[ref] = above
	}
	c.context = authz.Object{"entities": entities, "parents": parents}
}

// plain are attributes as a request carries them.
func plain(text json.RawMessage) authz.Object {
	a := authz.Object{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a); err != nil {
			panic(err) // it was made by mustMarshal
		}
	}
	return a
}
