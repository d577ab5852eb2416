package main

import "time"

// defaultAudit is how long it is kept who changed what where nothing else is said:
// a yearly review looks back on a whole year.
const defaultAudit = duration(400 * 24 * time.Hour)

// validateAudit refuses an audit that would be over before its revisions are.
func (c *config) validateAudit(refuse func(field, format string, args ...any)) {
	if c.Directory.Audit < c.Directory.Retention {
		refuse("directory.audit", "%s: expected at least directory.retention, which is %s", c.Directory.Audit, c.Directory.Retention)
	}
}
