package directory

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// RecordPolicy records what became of a tenant's policy, unless that is what was
// recorded last, as when a server starts again with the policy that it had. It takes
// a revision, in which nothing of the directory is changed.
//
// The first of a directory that was never written to waits for the tenant's first
// write, and goes with it: a directory that a server has only looked at can still be
// loaded in bulk.
func (d *Directory) RecordPolicy(ctx context.Context, tenant string, by authz.Author, change authz.PolicyChange) error {
	tenant, err := d.served(tenant)
	if err != nil {
		return err
	}
	change = storablePolicy(change)
	if _, latest := d.Revisions(); latest == 0 && d.unrecorded.keep(tenant, policyRecord{by, change}) {
		return nil
	}
	_, err = d.store.Update(ctx, tenant, func(tx *store.Tx) error {
		if err := d.unrecorded.record(tx); err != nil {
			return err
		}
		_, err := policyRecord{by, change}.into(tx)
		return err
	})
	return err
}

type policyRecord struct {
	by     authz.Author
	change authz.PolicyChange
}

// into has a write record it, unless it was recorded last.
func (r policyRecord) into(tx *store.Tx) (recorded bool, err error) {
	last, err := tx.Policy()
	if err != nil || sameOutcome(last, r.change) {
		return err == nil, err
	}
	if r.change.Before == "" {
		r.change.Before = last.Active()
	}
	tx.RecordPolicy(r.by, r.change)
	return false, nil
}

// unrecordedPolicies are the first policies of tenants, which wait for a write.
type unrecordedPolicies struct {
	mu       sync.Mutex
	byTenant map[string]policyRecord
}

// keep keeps the first record of a tenant, and reports false for any other.
func (u *unrecordedPolicies) keep(tenant string, record policyRecord) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, waits := u.byTenant[tenant]; waits {
		return false
	}
	if u.byTenant == nil {
		u.byTenant = make(map[string]policyRecord)
	}
	u.byTenant[tenant] = record
	return true
}

// record records what waits for a tenant's write, which may not come to be made: it
// is let go of when a later one finds it recorded.
func (u *unrecordedPolicies) record(tx *store.Tx) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	record, waits := u.byTenant[tx.Tenant()]
	if !waits {
		return nil
	}
	recorded, err := record.into(tx)
	if recorded {
		delete(u.byTenant, tx.Tenant())
	}
	return err
}

// maxPolicyText bounds what is recorded of an error, a path or a name.
const maxPolicyText = 4 << 10

func storablePolicy(p authz.PolicyChange) authz.PolicyChange {
	for _, text := range []*string{&p.Bundle, &p.Path, &p.Before, &p.Revision, &p.Digest, &p.Refused} {
		if len(*text) > maxPolicyText {
			*text = (*text)[:maxPolicyText] + "…"
		}
		*text = strings.ToValidUTF8(*text, "�")
	}
	return p
}

// sameOutcome reports whether a change says what the last one said, whenever and
// whatever was before each.
func sameOutcome(last, change authz.PolicyChange) bool {
	last.Before, change.Before = "", ""
	last.At, change.At = time.Time{}, time.Time{}
	return last == change
}
