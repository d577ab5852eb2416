package main

import (
	"strings"
	"testing"
)

func TestAuditIsAtLeastAsLongAsRevisionsAreKept(t *testing.T) {
	cfg := defaultConfig()
	cfg.Directory.Audit = cfg.Directory.Retention
	if err := cfg.validate(); err != nil {
		t.Error(err)
	}
	cfg.Directory.Audit--
	if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), "directory.audit: 23h59m59.999999999s: expected at least directory.retention, which is 24h") {
		t.Errorf("an audit that is over before: %v", err)
	}
}

func TestAuditSizeIsNotNextToNothing(t *testing.T) {
	cfg := defaultConfig()
	cfg.Directory.AuditSize = minAuditSize
	if err := cfg.validate(); err != nil {
		t.Error(err)
	}
	cfg.Directory.AuditSize--
	if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), "directory.audit_size: 1024KiB: expected at least 1.0MiB") {
		t.Errorf("an audit of next to nothing: %v", err)
	}
}
