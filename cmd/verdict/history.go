package main

import (
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// defaultAudit is how long it is kept who changed what where nothing else is said:
// a yearly review looks back on a whole year.
const defaultAudit = duration(400 * 24 * time.Hour)

// How much of that is kept. The default is enough for a write every two seconds over the
// time of defaultAudit, of some entities or a grant.
const (
	defaultAuditSize byteSize = 4 << 30
	minAuditSize     byteSize = 1 << 20
)

// validateAudit refuses an audit that would be over before its revisions are, and one of
// next to nothing.
func (c *config) validateAudit(refuse func(field, format string, args ...any)) {
	if c.Directory.Audit < c.Directory.Retention {
		refuse("directory.audit", "%s: expected at least directory.retention, which is %s", c.Directory.Audit, c.Directory.Retention)
	}
	if c.Directory.AuditSize < minAuditSize {
		refuse("directory.audit_size", "%s: expected at least %s", c.Directory.AuditSize, minAuditSize)
	}
}

// recordPolicies records what becomes of policies in a directory, unless that is kept
// in memory: there nobody will look back.
func recordPolicies(path string, d *directory.Directory) func(ctx context.Context, tenant string, change authz.PolicyChange) error {
	if path == "" {
		return nil
	}
	return func(ctx context.Context, tenant string, change authz.PolicyChange) error {
		return d.RecordPolicy(ctx, tenant, authz.Author{}, change)
	}
}
