package authz_test

import rego.v2

known := {entity.ref | some type in {"user", "customer", "customer_record", "ticket", "runbook", "employee_record"}; some entity in data.directory[type]}

test_unknown_subjects_are_denied_with_the_reason if {
	every subject in {"user:nobody", "customer:nobody", "service:ines", "ref:user:ines", root} {
		every resource in {"customer_record:carla", "ticket:t-1"} {
			decided(reads(subject, resource, "ticket:t-1")) == denied({sprintf("The directory does not know the subject %s.", [subject])})
		}
	}
	decided(asks("user:nobody", "read", "runbook:outage")) == denied({"The directory does not know the subject user:nobody."})
}

test_unknown_resources_are_denied_with_the_reason if {
	every subject in {"user:ines", "customer:carla"} {
		every resource in {"customer_record:nobody", "runbook:gone"} {
			decided(reads(subject, resource, "ticket:t-1")) == denied({sprintf("The directory does not know the resource %s.", [resource])})
		}
	}
}

test_what_no_rule_is_about_is_denied_with_a_reason if {
	decided(asks("customer:carla", "update", "customer_record:carla")) == denied({"No rule lets customer:carla update customer_record:carla."})
	decided(asks("user:ines", "read", "ticket:t-1")) == denied({"No rule lets user:ines read ticket:t-1."})
	decided(asks("customer:carla", "read", "ticket:t-1")) == denied({"No rule lets customer:carla read ticket:t-1."})
}

# All that is allowed to these subjects, with an open ticket at hand.
reads_with_ticket(subject) := {resource |
	some resource in known
	decided(reads(subject, resource, "ticket:t-1")).allowed
}

test_an_agent_reads_this_and_nothing_else if {
	reads_with_ticket("user:ines") == {"customer_record:carla", "runbook:outage"}
}

test_a_colleague_reads_this_and_nothing_else if reads_with_ticket("user:omar") == {"runbook:outage"}

test_a_customer_reads_this_and_nothing_else if reads_with_ticket("customer:carla") == {"customer_record:carla"}
