package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: Data of a region is served only through that region
# description: The caller says in context.region where it serves from.
deny contains sentence if {
	count(_home_regions) > 0
	not _served_at_home
	sentence := sprintf("This data is served only through %s.", [concat(" or ", _home_regions)])
}

_home_regions := hierarchy.ancestors_of_type(request.resource, "region")

_served_at_home if sprintf("region:%v", [input.context.region]) in _home_regions
