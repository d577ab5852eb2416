# METADATA
# title: Code hosting, with organizations and teams
package authz

import rego.v2

default allow := false

allow if {
	reads
	repository.attributes.visibility == "public"
}

allow if {
	reads
	repository.attributes.visibility == "internal"
	user.ancestors[repository.attributes.organization]
}

# METADATA
# title: Teams, and single users, with a role on the repository
allow if {
	reads
	some holder in repository.attributes.readers
	user.ancestors[holder]
}

allow if {
	input.resource.type == "repository"
	input.action.name in {"read", "push"}
	is_writer
}

allow if {
	input.resource.type == "repository"
	input.action.name in {"read", "push", "administer"}
	is_maintainer
}

allow if {
	input.resource.type == "repository"
	input.action.name in {"read", "administer"}
	user.ref in data.directory.ref[repository.attributes.organization].attributes.owners
}

# METADATA
# title: An issue is closed by who opened it
allow if {
	closes
	issue.attributes.author == user.ref
}

# METADATA
# title: An issue is closed by who works on the code
allow if {
	closes
	is_writer
}

allow if {
	closes
	is_maintainer
}

deny contains "The repository is archived." if {
	input.action.name in {"push", "close"}
	repository.attributes.archived == true
}

reads if {
	input.resource.type == "repository"
	input.action.name == "read"
}

closes if {
	input.resource.type == "issue"
	input.action.name == "close"
}

is_writer if {
	some holder in repository.attributes.writers
	user.ancestors[holder]
}

is_maintainer if {
	some holder in repository.attributes.maintainers
	user.ancestors[holder]
}

user := data.directory.user[input.subject.id] if input.subject.type == "user"

issue := data.directory.issue[input.resource.id] if input.resource.type == "issue"

# METADATA
# title: The repository
# description: The resource, or the one that the issue is about.
repository := data.directory.repository[input.resource.id] if input.resource.type == "repository"

repository := data.directory.ref[issue.attributes.repository]
