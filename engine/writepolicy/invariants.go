package writepolicy

import (
	"context"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
)

// askedAtOnce is about how many entities the policy is asked in one evaluation, within
// the limits of one.
const askedAtOnce = 200

func (p *Policy) checkInvariants(ctx context.Context, rules map[string]eval.Rule, proposal *directory.Proposal) error {
	concerned, err := p.concernedRoles(ctx, rules, proposal)
	if err != nil {
		return err
	}
	subjects, err := affected(ctx, proposal, concerned, p.Limits.Subjects)
	if err != nil {
		return err
	}
	for asked := range slices.Chunk(subjects, askedAtOnce) {
		refs := make([]any, len(asked))
		for i, ref := range asked {
			refs[i] = ref.String()
		}
		document := authz.Object{"tenant": proposal.Tenant(), "subjects": refs}
		after, err := p.violations(ctx, rules[violationsRule], document, proposal.After())
		if err != nil {
			return err
		}
		if len(after) == 0 {
			continue
		}
		before, err := p.violations(ctx, rules[violationsRule], document, proposal.Before())
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(after, func(text string) bool { return slices.Contains(before, text) })
		if len(fresh) > 0 {
			return authz.Errorf(authz.FailedPrecondition, "the policy does not let this be%s", listed(fresh))
		}
	}
	return nil
}

func (p *Policy) violations(ctx context.Context, rule eval.Rule, document authz.Object, side *directory.ProposalSide) ([]string, error) {
	value, _, err := p.ask(ctx, rule, document, side)
	if err != nil {
		return nil, err
	}
	return textsOf(violationsRule, value)
}

// concernedRoles are the roles by which alone grants matter; nil for all.
func (p *Policy) concernedRoles(ctx context.Context, rules map[string]eval.Rule, proposal *directory.Proposal) (map[authz.EntityRef]bool, error) {
	if rules[rolesRule] == nil {
		return nil, nil
	}
	value, defined, err := p.ask(ctx, rules[rolesRule], authz.Object{"tenant": proposal.Tenant()}, proposal.After())
	if err != nil || !defined {
		return nil, err
	}
	texts, err := textsOf(rolesRule, value)
	if err != nil {
		return nil, err
	}
	roles := make(map[authz.EntityRef]bool, len(texts))
	for _, text := range texts {
		ref, err := authz.ParseEntityRef(text)
		if err != nil {
			return nil, authz.Errorf(authz.FailedPrecondition, "the policy cannot be asked about the write: %s has %s, which is no role: %w", rolesRule, authz.Quote(text), err)
		}
		roles[ref] = true
	}
	return roles, nil
}
