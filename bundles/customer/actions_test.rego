package authz_test

import rego.v2

import data.authz

# Whatever someone may do is among the actions that a search looks at.
test_actions_are_listed if {
	everyone := {"user:ana", "user:ben", "user:ida", "viewer:ana", "service:newsletter"}
	done := {sprintf("%s %s", [action, type]) |
		some subject in everyone
		some line in may(subject)
		[action, ref] := split(line, " ")
		[type, _] := split(ref, ":")
	}
	listed := {sprintf("%s %s", [action, type]) |
		some type in {"api", "appointment", "lab_result", "organization", "ticket", "title", "user"}
		some action in authz.actions with input as {"resource": {"type": type, "id": "x"}}
	}
	count(done) > 10
	done - listed == set()
}

test_no_actions_on_what_is_unheard_of if {
	not authz.actions with input as {"resource": {"type": "spaceship", "id": "x"}}
}
