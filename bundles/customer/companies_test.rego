package authz_test

import rego.v2

managers_only := "People are suspended and invited by an administrator of their own company."

former_term := time.parse_rfc3339_ns("2023-01-01T00:00:00Z")

test_c9_an_administrator_manages_the_people_of_the_company if {
	every action in {"read", "update", "suspend"} {
		decided(asks("user:ida", action, "user:jon")).allowed
	}
	decided(asks("user:ida", "invite", "organization:acme")).allowed
	decided(asks("user:ida", "update", "user:jon")).obligations.change_only == ["email", "language", "name", "timezone"]
}

test_c9_another_companys_people_are_out_of_reach if {
	decided(asks("user:ida", "suspend", "user:kim")) == {
		"allowed": false,
		"reasons": {managers_only},
		"obligations": {},
	}
	not decided(asks("user:ida", "read", "user:kim")).allowed
	not decided(asks("user:ida", "invite", "organization:globex")).allowed
}

test_c9_people_of_no_company_are_out_of_reach if not decided(asks("user:ida", "read", "user:ana")).allowed

test_c9_a_grant_on_the_whole_tenant_still_ends_at_the_company if {
	[acme] := data.directory.user.ida.grants
	everywhere := object.union(acme, {"scope": root})
	overreaching := object.union(data.directory.user.ida, {"grants": [everywhere], "grants_by_scope": {root: [everywhere]}})

	own := decided(asks("user:ida", "suspend", "user:jon")) with data.directory.user.ida as overreaching
	own.allowed
	foreign := decided(asks("user:ida", "suspend", "user:kim")) with data.directory.user.ida as overreaching
	not foreign.allowed
}

test_c9_a_colleague_is_no_administrator if {
	decided(asks("user:jon", "read", "user:ida")).reasons == {not_yours}
	decided(asks("user:jon", "invite", "organization:acme")).reasons == {managers_only}
}

test_c9_an_administration_ends_with_its_grant if {
	request := asks("user:lena", "suspend", "user:kim")
	decided_at(request, former_term - 1).allowed
	not decided_at(request, former_term).allowed
}

test_c9_an_administrator_does_not_act_as_the_person_whatever_the_role_permits if {
	everything := object.union(data.directory.role.company_admin, {"permissions": {"*:*": "role:company_admin"}})
	every action in {"export", "request_deletion", "file_ticket", "process", "invite"} {
		decision := decided(asks("user:ida", action, "user:jon")) with data.directory.ref["role:company_admin"] as everything
		not decision.allowed
	}
	company := decided(asks("user:ida", "suspend", "organization:acme")) with data.directory.ref["role:company_admin"] as everything
	not company.allowed
}

test_c9_a_suspended_administrator_manages_nobody if {
	suspended := changed(data.directory.user.ida, {"state": "suspended"})
	decision := decided(asks("user:ida", "read", "user:jon")) with data.directory.user.ida as suspended
	decision.reasons == {"The account is suspended and may not do this."}
}
