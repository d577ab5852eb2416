package authz_test

import rego.v2

contract_from := time.parse_rfc3339_ns("2020-01-01T00:00:00Z")

contract_until := time.parse_rfc3339_ns("2100-01-01T00:00:00Z")

test_w8_contractor_works_on_their_project if {
	allowed("user:kai", "read", "repository:apollo-core")
	allowed("user:kai", "write", "repository:apollo-core")
}

# Kai's grant is on all of engineering: the contract is what confines him.
test_w8_contractor_outside_their_projects_denied if {
	made := decision("user:kai", "read", "repository:hermes-core", {})
	made.allowed == false
	made.reasons == {"repository:hermes-core is in no project of the subject's contract."}
}

test_w8_contractor_gets_nothing_that_comes_with_a_department if {
	denied("user:kai", "open", "app:code-hosting", "app:code-hosting is in no project of the subject's contract.")
}

test_w8_contractor_after_the_contract_denied if {
	made := decision("user:kim", "read", "repository:apollo-core", {})
	made.allowed == false
	made.reasons == {"contract:k-3 has ended or has not begun."}
}

test_w8_contract_holds_from_its_first_moment_to_its_last if {
	allowed("user:kai", "read", "repository:apollo-core") with time.now_ns as contract_from
	allowed("user:kai", "read", "repository:apollo-core") with time.now_ns as contract_until - 1
}

test_w8_a_moment_outside_the_contract_denied if {
	every moment in [contract_from - 1, contract_until, contract_until + second] {
		denied("user:kai", "read", "repository:apollo-core", "contract:k-7 has ended or has not begun.") with time.now_ns as moment
	}
}

test_w8_contract_without_dates_denied if {
	every name in ["starts", "ends"] {
		contract := lacking(data.directory.ref["contract:k-7"], [name])
		denied("user:kai", "read", "repository:apollo-core", "contract:k-7 has ended or has not begun.") with data.directory.ref["contract:k-7"] as contract
	}
}

# Whoever is hired may still stand in the contract that brought them.
test_w8_employee_is_not_confined_by_a_former_contract if {
	kim := altered(data.directory.user.kim, {"kind": "employee"})
	allowed("user:kim", "read", "repository:hermes-core") with data.directory.user.kim as kim
	allowed("user:kim", "read", "repository:apollo-core") with data.directory.user.kim as kim
}

test_w8_contractor_without_contract_denied if {
	nils := altered(data.directory.user.nils, {"kind": "contractor"})
	denied("user:nils", "read", "repository:apollo-core", "repository:apollo-core is in no project of the subject's contract.") with data.directory.user.nils as nils
}

test_w8_one_running_contract_of_two_is_enough if {
	kai := object.union(data.directory.user.kai, {"ancestors": {"contract:k-3": "contract:k-3"}})
	allowed("user:kai", "read", "repository:apollo-core") with data.directory.user.kai as kai
}

test_w8_partner_reads_their_organization if allowed("user:pia", "read", "document:globex-order")

# Pia's grant is on the whole tenant: her organization is what confines her.
test_w8_partner_in_another_organization_denied if {
	made := decision("user:pia", "read", "document:handbook", {})
	made.allowed == false
	made.reasons == {"document:handbook is not a resource of the subject's organization."}
}

test_w8_partner_without_organization_denied if {
	pia := lacking(data.directory.user.pia, ["organization"])
	denied("user:pia", "read", "document:globex-order", "document:globex-order is not a resource of the subject's organization.") with data.directory.user.pia as pia
}
