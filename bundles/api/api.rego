# METADATA
# title: What callers may do
# description: |
#   The policy for those who call Verdict itself, as it stands unless the
#   configuration names another bundle in callers.bundle. It is asked about each call:
#
#     {"caller": {"subject": "service:checkout", "method": "mtls", "address": "10.0.0.7"},
#      "operation": "check", "tenant": "shop"}
#
#   The subject and the method of a caller that is nobody are empty, and so is the tenant
#   of an operation that is of the whole server. The roles come from callers.roles in
#   the configuration, as data.verdict.callers[subject][tenant], where "*" is every
#   caller that has proved who it is, or every tenant.
package verdict.api

import rego.v2

# Each role has what those before it have.
operations := {
	"check": _asks,
	"write": _asks | _writes,
	"administer": (_asks | _writes) | _administers,
}

# Metrics are of the whole server, so they take the role in all tenants.
_asks := {"check", "search", "plan", "describe", "metrics"}

_writes := {"read", "write", "import", "export", "watch"}

_administers := {"status", "audit", "administer"}

# METADATA
# title: The caller has a role that the operation is in
allow if _may(input.caller.subject)

# METADATA
# title: Every known caller has a role that the operation is in
allow if {
	input.caller.method != ""
	_may("*")
}

# METADATA
# title: Whoever has a role anywhere is told what the server offers
allow if {
	input.operation == "describe"
	data.verdict.callers[input.caller.subject]
}

_may(subject) if input.operation in operations[data.verdict.callers[subject][input.tenant]]

_may(subject) if input.operation in operations[data.verdict.callers[subject]["*"]]
