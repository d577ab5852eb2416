package verdict.hierarchy_test

import rego.v2

import data.verdict.fixture
import data.verdict.hierarchy

mina := fixture.entities.user.mina

olga := fixture.entities.user.olga

test_within_is_at_or_below if {
	hierarchy.within(mina, "user:mina")
	hierarchy.within(mina, "department:clinical")
	hierarchy.within(mina, fixture.root)
	not hierarchy.within(mina, "department:surgery")
}

test_below_leaves_the_entity_out if {
	hierarchy.below(mina, "department:icu")
	not hierarchy.below(mina, "user:mina")
	not hierarchy.below(mina, "department:surgery")
}

test_ancestors_of_a_type if {
	hierarchy.ancestors_of_type(mina, "department") == {"department:icu", "department:clinical"}
	hierarchy.ancestors_of_type(mina, "user") == {"user:mina"}
	hierarchy.ancestors_of_type(mina, "depart") == set()
}

test_shared_ancestors_leave_the_root_out if {
	hierarchy.shared_ancestors(mina, olga) == {"department:clinical"}
	hierarchy.shared_ancestors(mina, fixture.entities.user["mail:x"]) == set()
	"user:mina" in hierarchy.shared_ancestors(mina, mina)
}
