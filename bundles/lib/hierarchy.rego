# METADATA
# title: The hierarchy
# description: >-
#   Who and what stands where. Everything has the root tenant:<name> above it,
#   so every pair of entities has that much in common.
package verdict.hierarchy

import rego.v2

# METADATA
# title: An entity is at or below a ref
within(entity, ref) if entity.ancestors[ref]

# METADATA
# title: An entity is below a ref
# description: Not the entity itself.
below(entity, ref) if {
	entity.ancestors[ref]
	entity.ref != ref
}

# METADATA
# title: The ancestors of a type
# description: Refs, with the entity itself where it is of the type.
ancestors_of_type(entity, type) := {ref |
	some ref in entity.ancestors
	startswith(ref, prefix)
} if {
	prefix := concat("", [type, ":"])
}

# METADATA
# title: What two entities have above them in common
# description: Refs, the entities themselves included and the root left out.
shared_ancestors(a, b) := {ref |
	some ref in a.ancestors
	b.ancestors[ref]
	not startswith(ref, "tenant:")
}
