# METADATA
# title: The route table
# description: >-
#   Finds the resource that a path stands for, by the table of data.http.routes:
#   what an address means is policy, and not code. A route has
#
#     path     "/patients/{patient}/records/{record}": a segment in braces is a
#              variable, and "{rest...}" at the end takes one segment or more
#     type     the resource's type
#     id       the resource's id: "{record}" for a variable, or else as it stands
#     methods  the HTTP methods that the route is for; left out, all
#     hosts    the hosts that the route is for, in small letters; left out, all
#     action   the action, in the place of what the method stands for
#
#   Of several routes for one path the most specific counts: at the first segment
#   in which they differ, text comes before a variable and that before the rest.
#   Where two are left, neither counts. A table with a fault in it is of no use at
#   all, since what is left of it could mean something else: see faults, of which
#   a test should see that there are none.
package verdict.routes

import rego.v2

# METADATA
# title: The route of a request
# description: >-
#   Of a document as in package verdict.http. It has the route as it stands in the
#   table, and variables: what the path has in the place of each.
route(http) := {"route": found.route, "variables": variables} if {
	count(faults) == 0
	fitting := {[found.shape, position] |
		some position in _positions(http.segments)
		found := _prepared[position]
		_fits(found, http)
	}
	best := max({shape | some [shape, _] in fitting})
	positions := {position | some [shape, position] in fitting; shape == best}
	count(positions) == 1
	some position in positions
	found := _prepared[position]
	variables := object.union(
		{name: http.segments[at] | some name, at in found.variables},
		{name: concat("/", array.slice(http.segments, at, count(http.segments))) | some name, at in found.rest},
	)
}

# METADATA
# title: The resource of a request
# description: Its properties are the path's variables.
resource(http) := {"type": found.route.type, "id": id, "properties": found.variables} if {
	found := route(http)
	id := _id(found.route.id, found.variables)
}

_id(id, variables) := variables[_bare(id)]

_id(id, _) := id if not contains(id, "{")

# The name in an id that is a variable.
_bare(id) := substring(id, 1, count(id) - 2) if regex.match(`^\{[A-Za-z_][A-Za-z0-9_]*\}$`, id)

# METADATA
# scope: document
# title: What is wrong with the table
# description: As texts, for a person to read.
faults contains "data.http.routes is no array" if {
	data.http.routes
	not is_array(data.http.routes)
}

faults contains _fault(position, "it has no path that begins with a slash") if {
	some position, found in data.http.routes
	not _begins(found.path)
}

faults contains _fault(position, "its path has an empty segment, a stray brace, a rest that is not the end, or a name twice") if {
	some position, found in data.http.routes
	_begins(found.path)
	not _well_formed(_segments(found.path))
}

faults contains _fault(position, sprintf("its %s is no text, or an empty one", [member])) if {
	some position, found in data.http.routes
	some member in {"type", "id"} | (object.keys(found) & {"action"})
	not _text(found[member])
}

faults contains _fault(position, "its id is in braces, and no variable of its path") if {
	some position, found in data.http.routes
	_begins(found.path)
	_text(found.id)
	contains(found.id, "{")
	not _bare(found.id) in _names(_segments(found.path))
}

faults contains _fault(position, sprintf("its %s are no array of texts", [member])) if {
	some position, found in data.http.routes
	some member in object.keys(found) & {"methods", "hosts"}
	not _texts(found[member])
}

faults contains _fault(position, sprintf("it has a member %s, which is none of a route's", [member])) if {
	some position, found in data.http.routes
	some member in object.keys(found) - {"path", "type", "id", "methods", "hosts", "action"}
}

_text(value) if {
	is_string(value)
	value != ""
}

_begins(path) if {
	is_string(path)
	startswith(path, "/")
}

_fault(position, text) := sprintf("data.http.routes[%d]: %s", [position, text])

_texts(list) if {
	is_array(list)
	every text in list { is_string(text) }
}

_segments("/") := []

_segments(path) := split(trim_prefix(path, "/"), "/") if path != "/"

_well_formed(segments) if {
	every at, segment in segments {
		_is_text(segment, at, count(segments) - 1)
	}
	names := [name | some segment in segments; name := _name(segment)]
	count(names) == count({name | some name in names})
}

_is_text(segment, _, _) if regex.match(`^[^{}]+$`, segment)

_is_text(segment, _, _) if _variable(segment)

_is_text(segment, last, last) if _rest(segment)

# The name of a segment that is a variable, or the rest of the path.
_variable(segment) := trim_suffix(trim_prefix(segment, "{"), "}") if regex.match(`^\{[A-Za-z_][A-Za-z0-9_]*\}$`, segment)

_rest(segment) := trim_suffix(trim_prefix(segment, "{"), "...}") if regex.match(`^\{[A-Za-z_][A-Za-z0-9_]*\.\.\.\}$`, segment)

_name(segment) := _variable(segment)

_name(segment) := _rest(segment)

_names(segments) := {name | some segment in segments; name := _name(segment)}

# The table, made ready. It depends on the bundle alone.
_prepared := [prepared |
	some found in data.http.routes
	segments := _segments(found.path)
	prepared := {
		"route": found,
		"segments": segments,
		"literals": {at: segment | some at, segment in segments; not startswith(segment, "{")},
		"variables": {name: at | some at, segment in segments; name := _variable(segment)},
		"rest": {name: at | some at, segment in segments; name := _rest(segment)},
		"shape": concat("", [_rank(segment) | some segment in segments]),
	}
]

_rank(segment) := "2" if not startswith(segment, "{")

_rank(segment) := "1" if _variable(segment)

_rank(segment) := "0" if _rest(segment)

# The positions of the routes that a path may fit: those of as many segments, and
# those that take the rest, with the same first segment or a variable there.
_positions(segments) := {position |
	some lists in [object.get(_closed, count(segments), {}), _open]
	some first in {_key(segments), "{}"}
	some position in lists[first]
}

_key(segments) := "" if count(segments) == 0

_key(segments) := segments[0] if count(segments) > 0

_closed[length][first] contains position if {
	some position, prepared in _prepared
	count(prepared.rest) == 0
	length := count(prepared.segments)
	first := _first(prepared.segments)
}

_open[first] contains position if {
	some position, prepared in _prepared
	count(prepared.rest) == 1
	first := _first(prepared.segments)
}

_first(segments) := _key(segments) if not _is_open(segments)

_first(segments) := "{}" if _is_open(segments)

_is_open(segments) if startswith(segments[0], "{")

_fits(prepared, http) if {
	every at, text in prepared.literals { http.segments[at] == text }
	every at in prepared.rest { at < count(http.segments) }
	_among(prepared.route, "methods", http.method)
	_among(prepared.route, "hosts", http.host)
}

_among(route, member, _) if not member in object.keys(route)

_among(route, member, value) if value in route[member]
