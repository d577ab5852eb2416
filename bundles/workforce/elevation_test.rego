package authz_test

import rego.v2

# The window of the grant sam-production.
elevated_from := time.parse_rfc3339_ns("2020-01-01T00:00:00Z")

elevated_until := time.parse_rfc3339_ns("2100-01-01T00:00:00Z")

second := 1000000000

administers(resource) if decision("user:sam", "administer", resource, {"mfa": true}).allowed

administers_at(now) if administers("server:db-1") with time.now_ns as now

test_w2_administrator_inside_the_window if administers("server:db-1")

test_w2_first_and_last_moment_inside_the_window if {
	administers_at(elevated_from)
	administers_at(elevated_until - second)
	administers_at(elevated_until - 1)
}

test_w2_a_moment_before_the_window_denied if {
	not administers_at(elevated_from - 1)
	not administers_at(elevated_from - second)
	denied_in(
		{"mfa": true}, "user:sam", "administer", "server:db-1",
		"Grant sam-production begins at 2020-01-01T00:00:00Z.",
	) with time.now_ns as elevated_from - second
}

test_w2_a_moment_after_the_window_denied if {
	not administers_at(elevated_until)
	not administers_at(elevated_until + second)
	denied_in(
		{"mfa": true}, "user:sam", "administer", "server:db-1",
		"Grant sam-production ended at 2100-01-01T00:00:00Z.",
	) with time.now_ns as elevated_until + second
}

not_elevated(server) := {
	sprintf("No grant in force gives user:sam the permission server:administer on %s.", [server]),
	"server:administer is an elevated right: it takes a grant in force that has an end.",
}

test_w2_ended_grant_denied if {
	reasons := not_elevated("server:db-2") | {"Grant sam-staging ended at 2021-06-01T20:00:00Z."}
	denied_only("user:sam", "administer", "server:db-2", reasons)
}

test_w2_future_grant_denied if {
	reasons := not_elevated("server:db-3") | {"Grant sam-recovery begins at 2095-01-01T00:00:00Z."}
	denied_only("user:sam", "administer", "server:db-3", reasons)
}

test_w2_ended_grant_is_not_cited_where_it_would_not_help if {
	denied_only("user:sam", "restart", "server:db-2", {"No grant in force gives user:sam the permission server:restart on server:db-2."})
	ended := {"not_after": "2021-01-01T00:00:00Z", "not_after_ns": 1609459200000000000}
	irma := holding(data.directory.user.irma, [object.union(grant("user:irma", "role:it_admin", "organization:acme"), ended)])
	denied_only("user:irma", "read", "employee_record:nils", {
		"No grant in force gives user:irma the permission employee_record:read on employee_record:nils.",
		"HR data takes a grant that names an HR role, its holder and a part of the organization.",
	}) with data.directory.user.irma as irma
}

test_w2_ended_grant_is_not_cited_beside_one_in_force if {
	ended := object.union(
		grant("user:sam", "role:server_admin", "environment:production"),
		{"id": "last-time", "not_after": "2021-01-01T00:00:00Z", "not_after_ns": 1609459200000000000},
	)
	sam := holding(data.directory.user.sam, array.concat(data.directory.user.sam.grants, [ended]))
	made := decision("user:sam", "administer", "server:db-1", {"mfa": true}) with data.directory.user.sam as sam
	made.allowed
	made.reasons == {"Granted by sam-production: role:server_admin on environment:production."}
}

test_w2_grant_without_end_denied if {
	sam := holding(data.directory.user.sam, [grant("user:sam", "role:server_admin", "environment:production")])
	denied_in(
		{"mfa": true}, "user:sam", "administer", "server:db-1",
		"server:administer is an elevated right: it takes a grant in force that has an end.",
	) with data.directory.user.sam as sam
}

test_w2_elevated_right_by_inheritance_without_end_denied if {
	role := object.union(data.directory.ref["role:it_admin"], {"permissions": {"server:administer": "role:server_admin"}})
	denied_in(
		{"mfa": true}, "user:ivan", "administer", "server:db-1",
		"server:administer is an elevated right: it takes a grant in force that has an end.",
	) with data.directory.ref["role:it_admin"] as role
}
