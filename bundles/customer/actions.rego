package authz

import rego.v2

# What there is to do with each type of resource, whoever asks.
_actions := {
	"api": {"call"},
	"appointment": {"read", "reschedule", "cancel"},
	"lab_result": {"read"},
	"organization": {"invite"},
	"ticket": {"read"},
	"title": {"stream"},
	"user": {
		"read", "update", "export", "request_deletion", "cancel_deletion", "verify", "appeal",
		"suspend", "process", "file_ticket",
	},
}

# METADATA
# title: What there is to do
# description: The candidates of a search for actions. A rule that opens something new names it here, too.
actions := _actions[input.resource.type]
