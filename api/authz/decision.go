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
	// Rules are the rules that were tried, in the order in which they were.
	Rules []RuleOutcome
	// Facts are the entities that were read, by ref, in the order of the
	// first read. An entity that the directory does not know is among them.
	Facts []Fact
}

// A RuleOutcome is what became of one rule in one decision.
type RuleOutcome struct {
	// Rule is the rule's path, such as "data.authz.allow".
	Rule string
	// Title is the title of the rule's metadata annotation, if it has one.
	Title string
	// Location is where the rule stands, as file:line.
	Location string
	// Held is whether the rule's body held for at least one binding.
	Held bool
	// Erred is whether an error arose in the rule, or in one that it holds by.
	// Then it neither held nor failed.
	Erred bool
	// FailedAt and FailedExpr are where the body failed last and the
	// expression that did not hold, or the one that erred; empty when the rule
	// held or the error arose in another.
	FailedAt   string
	FailedExpr string
}

// A Fact is an entity that a decision rested on.
type Fact struct {
	// Ref is type:id.
	Ref string
	// Known is whether the directory knew the entity.
	Known bool
}
