package api_test

import rego.v2

import data.verdict.api

callers := {
	"service:checkout": {"shop": "check"},
	"service:hr-sync": {"staff": "write", "shop": "check"},
	"user:olga": {"*": "administer"},
	"user:prometheus": {"*": "check"},
}

test_roles if {
	cases := {
		# what the role has
		["service:checkout", "check", "shop", true],
		["service:checkout", "search", "shop", true],
		["service:checkout", "plan", "shop", true],
		["service:hr-sync", "write", "staff", true],
		["service:hr-sync", "import", "staff", true],
		["service:hr-sync", "watch", "staff", true],
		# and what those before it have
		["service:hr-sync", "check", "staff", true],
		["user:olga", "write", "staff", true],
		["user:olga", "check", "shop", true],
		["user:olga", "administer", "shop", true],
		# but not what it has not
		["service:checkout", "read", "shop", false],
		["service:checkout", "write", "shop", false],
		["service:checkout", "status", "shop", false],
		["service:hr-sync", "administer", "staff", false],
		["service:hr-sync", "audit", "staff", false],
		# nor in another tenant, which there may be or not
		["service:checkout", "check", "staff", false],
		["service:checkout", "check", "nowhere", false],
		["service:hr-sync", "write", "shop", false],
		# nor of the whole server
		["service:hr-sync", "status", "", false],
		["service:checkout", "check", "*", false],
		["user:olga", "status", "", true],
		["service:checkout", "metrics", "", false],
		["user:prometheus", "metrics", "", true],
		["user:prometheus", "status", "", false],
		# nor what there is not
		["user:olga", "erase", "shop", false],
		["user:olga", "", "shop", false],
		["service:else", "check", "shop", false],
		["", "check", "shop", false],
		# and what whoever has a role is told
		["service:checkout", "describe", "", true],
		["service:else", "describe", "", false],
	}
	every case in cases {
		_is_allowed(case[0], "token", case[1], case[2], callers) == case[3]
	}
}

test_every_known_caller if {
	everyone := {"*": {"shop": "check"}}
	_is_allowed("service:else", "token", "check", "shop", everyone)
	not _is_allowed("service:else", "token", "write", "shop", everyone)
	not _is_allowed("", "", "check", "shop", everyone)
}

test_nobody if {
	nobody := {"": {"*": "check"}}
	_is_allowed("", "", "check", "shop", nobody)
	not _is_allowed("", "", "write", "shop", nobody)
	not _is_allowed("service:else", "token", "check", "shop", nobody)
}

test_without_roles_nobody_may_anything if {
	not _is_allowed("user:olga", "token", "check", "shop", {})
	not api.allow with input as {}
}

_is_allowed(subject, method, operation, tenant, roles) if {
	api.allow with input as {
		"caller": {"subject": subject, "method": method, "address": "10.0.0.7"},
		"operation": operation,
		"tenant": tenant,
	}
		with data.verdict.callers as roles
} else := false
