package authz

// DefaultTenant is the tenant of a request that names none.
const DefaultTenant = "default"

// An Object is a JSON object as a caller sent it. Its values are nil, bool,
// string, float64, json.Number, []any, map[string]any and Object's own kind
// again; an edge that can keep a number exact sends json.Number.
type Object = map[string]any

// A Request asks whether a subject may do an action on a resource in a
// context (AuthZEN 1.0, section 5).
//
// What it holds is the caller's claim. A type or an id may be any string: what
// the directory cannot hold is merely unknown to it.
type Request struct {
	// Tenant is the directory and the policy the request is decided by.
	Tenant   string
	Subject  Subject
	Action   Action
	Resource Resource
	// Context is the environment of the request, such as the time zone, the
	// address or the strength of the login. Nil means empty.
	Context Object
}

// A Subject is who asks: a user, a service, a device.
type Subject struct {
	Type, ID string
	// Properties are the caller's claims about the subject. Nil means empty.
	Properties Object
}

// Ref is the subject's entity ref, which need not be valid.
func (s Subject) Ref() EntityRef { return EntityRef{Type: s.Type, ID: s.ID} }

// An Action is what the subject wants to do.
type Action struct {
	Name string
	// Properties are the caller's claims about the action. Nil means empty.
	Properties Object
}

// A Resource is what the action is done to.
type Resource struct {
	Type, ID string
	// Properties are the caller's claims about the resource. Nil means empty.
	Properties Object
}

// Ref is the resource's entity ref, which need not be valid.
func (r Resource) Ref() EntityRef { return EntityRef{Type: r.Type, ID: r.ID} }

// Consistency says which directory revision a request is answered from.
// The zero value asks for the latest.
type Consistency struct {
	// AtLeast waits, within the deadline, until the directory has reached this
	// revision, and then reads the latest. A write's revision given here makes
	// that write visible. 0 does not wait.
	AtLeast uint64
	// Exact reads this revision and no other; it must lie within the
	// retention window. 0 reads the latest. Exact excludes AtLeast.
	Exact uint64
}

// Validate reports a consistency that asks for two things at once.
func (c Consistency) Validate() error {
	if c.AtLeast != 0 && c.Exact != 0 {
		return InvalidField("consistency", "at_least and exact exclude each other: give one of them")
	}
	return nil
}
