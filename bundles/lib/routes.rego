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
#     methods  the HTTP methods that the route is for, in capitals; left out, all
#     hosts    the hosts that the route is for, in small letters and without a port;
#              left out, all
#     action   the action, in the place of what the method stands for
#
#   Of several routes for one path the most specific counts: at the first segment
#   in which they differ, text comes before a variable and that before the rest.
#   Where two are left, neither counts. A table with a fault in it is of no use at
#   all, since what is left of it could mean something else: see faults. A server
#   that answers proxies does not take a policy with one, and a test should see that
#   there are none.
package verdict.routes

import rego.v2

# METADATA
# title: The route of a request
# description: >-
#   Of a document as in package verdict.http: the route as it stands in the table.
route(http) := found(http).route

# METADATA
# title: The resource of a request
# description: Its properties are the path's variables.
resource(http) := resource_of(found(http), http)

# METADATA
# title: The route of a request, made ready
# description: >-
#   It has the route, and what resource_of needs: with both, a request is looked up
#   once for its action and its resource.
found(http) := fitting[0] if {
	count(faults) == 0
	fitting := [candidate |
		some position in _candidates(http.segments)
		candidate := _prepared[position]
		_fits(candidate, http)
	]
	not fitting[1].shape == fitting[0].shape
}

# METADATA
# title: The resource of a route that was found
resource_of(entry, http) := {"type": entry.route.type, "id": _id(entry, variables), "properties": variables} if {
	variables := _variables(entry, http.segments)
}

_id(entry, variables) := variables[entry.named] if entry.named != ""

_id(entry, _) := entry.route.id if entry.named == ""

# The name in an id that is a variable.
_bare(id) := _inner(id) if {
	startswith(id, "{")
	endswith(id, "}")
}

_bare(id) := "" if not contains(id, "{")

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

# Such a segment no request has.
faults contains _fault(position, sprintf("its path has the segment %s, which is never asked for: write it decoded, and without what is refused", [segment])) if {
	some position, found in data.http.routes
	_begins(found.path)
	some segment in _segments(found.path)
	regex.match(`[?#;\\]|%[0-9A-Fa-f]{2}|[. ]$|^ `, segment)
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

faults contains _fault(position, sprintf("its %s are no array of texts, or an empty one", [member])) if {
	some position, found in data.http.routes
	some member in object.keys(found) & {"methods", "hosts"}
	not _texts(found[member])
}

# What is not as requests tell it would never fit, and another route instead.
faults contains _fault(position, sprintf("its methods have %q: write names in capitals, and for all leave methods out", [method])) if {
	some position, found in data.http.routes
	some method in found.methods
	is_string(method)
	not regex.match(`^[A-Z][A-Z0-9_-]*$`, method)
}

faults contains _fault(position, sprintf("its hosts have %q: write it in small letters, without a port or a dot at its end", [host])) if {
	some position, found in data.http.routes
	some host in found.hosts
	is_string(host)
	not regex.match(`^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)$`, host)
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
	count(list) > 0
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

# The table, made ready. What begins with an underscore and takes no argument depends
# on the bundle alone, and is whole, so that it is made once, at activation.
_prepared := [prepared |
	some found in data.http.routes
	segments := _segments(found.path)
	prepared := {
		"route": found,
		"length": count(segments),
		"first": _first(segments),
		"open": endswith(found.path, "...}"),
		"literals": {at: segment | some at, segment in segments; not startswith(segment, "{")},
		"variables": {_inner(segment): at | some at, segment in segments; startswith(segment, "{"); not endswith(segment, "...}")},
		"rest": {trim_suffix(_inner(segment), "..."): at | some at, segment in segments; endswith(segment, "...}")},
		"named": _bare(found.id),
		"methods": object.get(found, "methods", null),
		"hosts": object.get(found, "hosts", null),
		"shape": concat("", [_rank(segment) | some segment in segments]),
	}
]

_first([]) := ""

_first(segments) := segments[0] if not startswith(segments[0], "{")

_first(segments) := "{}" if startswith(segments[0], "{")

_inner(segment) := substring(segment, 1, count(segment) - 2)

# From the most specific to the least.
_rank(segment) := "0" if not startswith(segment, "{")

_rank(segment) := "1" if {
	startswith(segment, "{")
	not endswith(segment, "...}")
}

_rank(segment) := "2" if endswith(segment, "...}")

_grouped[first] contains position if {
	some position, prepared in _prepared
	first := prepared.first
}

_by_first := _grouped

# Which routes may fit a path of so many segments, or of _longest and more, that
# begins with a text, or with one with which no route does: the most specific first.
_table := {length: at_length |
	some length in numbers.range(0, _longest)
	at_length := {first: [position | some [_, position] in fitting] |
		some first in object.keys(_by_first) | {"", "{}"}
		fitting := {[prepared.shape, position] |
			some key in {first, "{}"}
			some position in _by_first[key]
			prepared := _prepared[position]
			_has_length(prepared, length)
		}
	}
}

# One more than the longest route has.
_longest := max({0} | {prepared.length | some prepared in _prepared}) + 1

_has_length(prepared, length) if {
	not prepared.open
	length == prepared.length
}

_has_length(prepared, length) if {
	prepared.open
	length >= prepared.length
}

_candidates([]) := _table[0][""]

_candidates(segments) := at_length[segments[0]] if {
	at_length := _of_length(count(segments))
} else := at_length["{}"] if {
	count(segments) > 0
	at_length := _of_length(count(segments))
}

_of_length(length) := _table[length] if length < _longest

_of_length(length) := _table[_longest] if length >= _longest

_variables(found, segments) := {name: segments[at] | some name, at in found.variables} if not found.open

_variables(found, segments) := object.union(
	{name: segments[at] | some name, at in found.variables},
	{name: concat("/", array.slice(segments, at, count(segments))) | some name, at in found.rest},
) if found.open

_fits(prepared, http) if {
	every at, text in prepared.literals { http.segments[at] == text }
	_among(prepared.methods, http.method)
	_among(prepared.hosts, http.host)
}

# Null is all.
_among(null, _)

_among(list, value) if value in list
