package authzen

import "github.com/verdictpdp/verdict/api/authz"

// Members is a set of the members of an answer's context that can be left out.
type Members uint8

// The members of contexts. What went wrong with a decision is always told.
const (
	Reasons Members = 1 << iota
	// Obligations are what a caller must do besides. Leave them out only where no
	// policy has any: a caller that is not told of one does not meet it.
	Obligations
	DecisionID
	Revisions
	AllMembers Members = 1<<iota - 1
)

func (m Members) has(one Members) bool { return m&one != 0 }

// MemberNames are the names of the members, as ParseMembers takes them.
func MemberNames() []string { return []string{"reasons", "obligations", "decision_id", "revisions"} }

// ParseMembers is the set of the members of these names. Its error is of kind
// Invalid.
func ParseMembers(names []string) (Members, error) {
	var members Members
	for _, name := range names {
		switch name {
		case "reasons":
			members |= Reasons
		case "obligations":
			members |= Obligations
		case "decision_id":
			members |= DecisionID
		case "revisions":
			members |= Revisions
		default:
			return 0, authz.Errorf(authz.Invalid, "%s is none: expected reasons, obligations, decision_id or revisions", authz.Quote(name))
		}
	}
	return members, nil
}
