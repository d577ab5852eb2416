package gate

import (
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
)

// A question is the document input of the policy for callers. It is used again and
// again: who calls, for what and where differs little from one call to the next, and
// each has to be asked about: see BenchmarkAdmit.
type question struct {
	document, caller authz.Object
	// from, operation and tenant are what stands in the document.
	from      caller.Caller
	operation caller.Operation
	tenant    string
}

func newQuestion() *question {
	q := &question{caller: authz.Object{"subject": "", "method": "", "address": ""}}
	q.document = authz.Object{"caller": q.caller, "operation": "", "tenant": ""}
	return q
}

// of is the document about a call. Text that is no UTF-8, which no caller and no tenant
// has, is mended.
func (q *question) of(c caller.Caller, operation caller.Operation, tenant string) authz.Object {
	if q.from.Subject != c.Subject {
		q.caller["subject"] = ""
		if c.Subject != (authz.EntityRef{}) {
			q.caller["subject"] = valid(c.Subject.String())
		}
	}
	if q.from.Method != c.Method {
		q.caller["method"] = string(c.Method)
	}
	if q.from.Address != c.Address {
		q.caller["address"] = valid(c.Address)
	}
	q.from = c
	if q.operation != operation {
		q.operation = operation
		q.document["operation"] = string(operation)
	}
	if q.tenant != tenant {
		// A tenant's name is a part of the message that it came in, which is not to be
		// kept for its sake.
		q.tenant = strings.Clone(tenant)
		q.document["tenant"] = valid(q.tenant)
	}
	return q.document
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
