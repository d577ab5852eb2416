package writepolicy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
)

// The rules that are asked.
const (
	allowRule      = "data.verdict.delegation.allow"
	reasonsRule    = "data.verdict.delegation.reasons"
	violationsRule = "data.verdict.invariants.violations"
	rolesRule      = "data.verdict.invariants.roles"
)

// RuleNames are the rules that are asked, where a policy has them.
func RuleNames() []string { return []string{allowRule, reasonsRule, violationsRule, rolesRule} }

// Limits bound what one question costs.
type Limits struct {
	// Evaluation bounds the time, Steps the work, and Entities how many entities are
	// read, as those of a decision do.
	Evaluation time.Duration
	Steps      int64
	Entities   int
	// Subjects bounds how many entities one write may have stand otherwise than before,
	// where the policy has invariants.
	Subjects int
}

// DefaultSubjects are more than there are in a large organization.
const DefaultSubjects = 100_000

// Options are the parts of a Policy. All are required.
type Options struct {
	// Rules are those of RuleNames that the active policy of a tenant has. An error
	// refuses every write: what the policy asks of one is not known then.
	Rules  func(tenant string) (map[string]eval.Rule, error)
	Clock  func() time.Time
	Limits Limits
}

// A Policy says which writes may be made: it is a directory.Guard. It is safe for use by many goroutines.
type Policy struct {
	Options
	// cache stays empty, since nothing that is read here is kept.
	cache *pip.Cache
}

// New makes a Policy.
func New(o Options) *Policy {
	return &Policy{Options: o, cache: pip.NewCache(pip.Options{MaxBytes: 1 << 20})}
}

// Asks reports whether the tenant's policy has rules that an author's writes are held to,
// or is not there to have any.
func (p *Policy) Asks(tenant string, by authz.Author) bool {
	rules, err := p.Rules(tenant)
	return err != nil || rules[violationsRule] != nil || !by.OnBehalfOf.IsZero()
}

// Check is nil where the write may be made. What keeps the policy from being asked to its
// end refuses the write, with the kind LimitExceeded for a limit: a smaller write may
// stay within it.
func (p *Policy) Check(ctx context.Context, proposal *directory.Proposal) error {
	rules, err := p.Rules(proposal.Tenant())
	if err != nil {
		return fmt.Errorf("it is not known what may be written: %w", err)
	}
	if !proposal.Author().OnBehalfOf.IsZero() {
		if err := p.checkDelegation(ctx, rules, proposal); err != nil {
			return err
		}
	}
	if rules[violationsRule] == nil {
		return nil
	}
	return p.checkInvariants(ctx, rules, proposal)
}

// maxReasons is how many reasons an error tells.
const maxReasons = 10

func (p *Policy) checkDelegation(ctx context.Context, rules map[string]eval.Rule, proposal *directory.Proposal) error {
	person := proposal.Author().OnBehalfOf
	if rules[allowRule] == nil {
		return authz.Errorf(authz.PermissionDenied, "nothing may be written on behalf of %s: the policy of tenant %s has no rule %s", authz.Quote(person.String()), proposal.Tenant(), allowRule)
	}
	document, err := delegationDocument(proposal)
	if err != nil {
		return err
	}
	allowed, defined, err := p.ask(ctx, rules[allowRule], document, proposal.Before())
	switch {
	case err != nil:
		return err
	case defined && allowed == true:
		return nil
	}
	text := fmt.Sprintf("%s may not make these changes", person)
	if rules[reasonsRule] != nil {
		found, _, err := p.ask(ctx, rules[reasonsRule], document, proposal.Before())
		if err != nil {
			return err
		}
		reasons, err := textsOf(reasonsRule, found)
		if err != nil {
			return err
		}
		text += listed(reasons)
	}
	return authz.Errorf(authz.PermissionDenied, "%s", text)
}

// ask asks a rule on one side of a write.
func (p *Policy) ask(ctx context.Context, rule eval.Rule, document authz.Object, side *directory.ProposalSide) (value any, defined bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, p.Limits.Evaluation)
	defer cancel()
	value, defined, err = rule.Value(bounded, eval.Input{
		Document: document, Directory: p.cache.Reader(side, p.Limits.Entities), Now: p.Clock(), Steps: p.Limits.Steps,
	})
	switch {
	case err == nil || ctx.Err() != nil:
		return value, defined, err
	case bounded.Err() != nil:
		return nil, false, authz.Errorf(authz.LimitExceeded, "the policy did not come to its end about the write within %v: write less at once", p.Limits.Evaluation)
	case authz.KindOf(err) == authz.Evaluation:
		return nil, false, authz.Errorf(authz.FailedPrecondition, "the policy cannot be asked about the write: %w", err)
	}
	return nil, false, err
}

// textsOf are the members of a set of texts; none where the rule is undefined.
func textsOf(rule string, value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	members, isSet := value.([]any)
	texts := make([]string, 0, len(members))
	for _, member := range members {
		text, isText := member.(string)
		isSet = isSet && isText
		texts = append(texts, text)
	}
	if !isSet {
		return nil, authz.Errorf(authz.FailedPrecondition, "the policy cannot be asked about the write: %s is no set of texts", rule)
	}
	return texts, nil
}

// listed are texts behind what they explain.
func listed(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	more := ""
	if n := len(texts) - maxReasons; n > 0 {
		texts, more = texts[:maxReasons], fmt.Sprintf("; and %d more", n)
	}
	return ": " + strings.Join(texts, "; ") + more
}
