# METADATA
# title: The request's entities
# description: >-
#   Who asks and for what, as the directory knows them. A policy that starts
#   from these rules cannot take service:alice for user:alice, nor go on with a
#   subject or a resource that the directory does not know.
package verdict.request

import rego.v2

# METADATA
# title: The subject's entity
# description: >-
#   Undefined when the directory does not know the subject. The type is
#   compared because data.directory.ref finds entities by ref: without the
#   comparison a subject of type "ref" would pass for whomever its id names.
subject := entity if {
	entity := data.directory[input.subject.type][input.subject.id]
	entity.type == input.subject.type
}

# METADATA
# title: The resource's entity
# description: >-
#   Undefined when the directory does not know the resource. One about to be
#   created is unknown: decide on what it is created in.
resource := entity if {
	entity := data.directory[input.resource.type][input.resource.id]
	entity.type == input.resource.type
}

# METADATA
# scope: document
# title: Whether the directory knows the subject
default subject_known := false

subject_known if subject

# METADATA
# scope: document
# title: Whether the directory knows the resource
default resource_known := false

resource_known if resource

# METADATA
# title: The subject's ref
# description: >-
#   As the caller wrote it, whether the directory knows it or not: for messages.
#   To compare it with what an attribute names, take subject.ref. Type "user" with
#   id "a:b", and type "user:a" with id "b", look the same here.
subject_ref := concat(":", [input.subject.type, input.subject.id])

# METADATA
# title: The resource's ref
# description: As the subject's.
resource_ref := concat(":", [input.resource.type, input.resource.id])

# METADATA
# title: The root of the tenant
# description: The ref that stands above every entity and is a grant's scope where none was given.
root := concat(":", ["tenant", input.tenant])
