package authz

// A Decision is the answer to a Request. The zero value denies.
type Decision struct {
	// Allowed is whether the request may go ahead. It is never true together
	// with Err.
	Allowed bool
	// Reasons are the policy's reasons, sorted; on a deny, what its deny rule
	// says comes with them.
	Reasons []string
	// Obligations are what the caller must do besides: step up to MFA, mask a
	// field, log. Values are those of Object, numbers as json.Number. A caller
	// that cannot meet an obligation of an allow must treat it as a deny
	// (XACML 3.0, section 7.18).
	Obligations Object
	// ID names the decision in logs and in support.
	ID string
	// PolicyRevision is the revision of the bundle that decided.
	PolicyRevision string
	// DirectoryRevision is the directory revision that was read.
	DirectoryRevision uint64
	// Explanation is there when it was asked for.
	Explanation *Explanation
	// Err is why the policy could not be evaluated to its end: a built-in's
	// runtime error, conflicting rules, a limit. A decision with an error is a
	// deny, and the error is reported with it.
	Err error
}

// An Explanation tells why a decision came out as it did, rule by rule.
type Explanation struct {
	// Rules are the rules that were tried: those of allow, deny, reasons and
	// obligations, and behind the rules of each path those that they ask for.
	// Rules of one path stand as in the source.
	Rules []RuleOutcome
	// Facts are the entities that were read, by ref, in the order of the
	// first read. An entity that the directory does not know is among them.
	Facts []Fact
	// RulesLeftOut is how many more rules were tried, of those that came least
	// close, for which an explanation has no room.
	RulesLeftOut int
	// FactsLeftOut is how many more entities were read, after Facts, for which
	// an explanation has no room.
	FactsLeftOut int
	// CutShort is what ended the explaining before all was tried, such as a
	// limit; empty when nothing did. Rules may then be missing, or have come
	// further than is told. An error of the policy, with which the decision ends
	// as well, is not told here.
	CutShort string
}

// A RuleOutcome is what became of one rule in one decision.
type RuleOutcome struct {
	// Rule is the rule's path, such as "data.authz.allow".
	Rule string
	// Title is the title of the rule's metadata annotation, if it has one, cut off
	// with … where it is long.
	Title string
	// Location is where the rule stands, as file:line.
	Location string
	// Held is whether the rule's body held for at least one binding, and the
	// rule was not false.
	Held bool
	// Erred is whether an error arose in the rule, or in one that it holds by.
	// Then it neither held nor failed.
	Erred bool
	// FailedAt and FailedExpr are the expression of the body that did not hold,
	// in the attempt that came furthest, the first of those; or the expression
	// that erred. They are the rule's head where its arguments were others or it
	// was false, and empty when the rule held or the error arose in another. A
	// long expression is cut off with ….
	FailedAt   string
	FailedExpr string
	// Values are what the refs, variables and calls in FailedExpr were, in the
	// order of the source.
	Values []ExprValue
	// ValuesLeftOut is how many more there are, whose values are not told: there
	// was no room for them, or they could not be found.
	ValuesLeftOut int
	// MoreAttempts is how many more attempts came as far, such as for further
	// members of a collection; those of other calls of the rule are not counted.
	MoreAttempts int
	// Passed is how many of the rule's Expressions held in that attempt: all of
	// them when the rule held. The head is one of them where it asks for more
	// than the body.
	Passed      int
	Expressions int
	// RestsOn are the paths of the rules, of those that were tried, that
	// FailedExpr asks for; all that the rule asks for when it held.
	RestsOn []string
	// RestsOnLeftOut is how many more there are, for which there was no room.
	RestsOnLeftOut int
	// Rank orders the rules that kept allow from being true by how far they
	// came, from 1, the closest: by the share of their expressions that held,
	// where the one that did not counts as much as the closest rule that it asks
	// for. It is 0 for all others, and for all when allow is true.
	Rank int
}

// An ExprValue is what a part of an expression was.
type ExprValue struct {
	// Text is the part as it stands in the policy, cut off with … where it is
	// long.
	Text string
	// Value is its value as compact JSON, sets as in Rego, cut off with … where
	// it is long; empty when the part is undefined. Of a part that goes through
	// a collection, such as xs[_].name, it is the array of all values.
	Value string
}

// A Fact is an entity that a decision rested on.
type Fact struct {
	// Ref is type:id.
	Ref string
	// Known is whether the directory knew the entity.
	Known bool
}
