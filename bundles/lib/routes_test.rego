package verdict.routes_test

import rego.v2

import data.verdict.routes

table := [
	{"path": "/", "type": "page", "id": "home"},
	{"path": "/patients", "type": "list", "id": "patients"},
	{"path": "/patients/{id}", "type": "patient", "id": "{id}"},
	{"path": "/patients/me", "type": "patient", "id": "me", "methods": ["GET"]},
	{"path": "/patients/{patient}/records/{record}", "type": "patient_record", "id": "{record}", "action": "open"},
	{"path": "/files/{name...}", "type": "file", "id": "{name}"},
	{"path": "/files/{name}", "type": "file", "id": "{name}", "methods": ["PUT"]},
	{"path": "/files/index", "type": "list", "id": "files"},
	{"path": "/{section}/about", "type": "page", "id": "{section}"},
	{"path": "/{section}/{page}", "type": "page", "id": "{page}", "hosts": ["intern.example"]},
	{"path": "/twice/{a}", "type": "first", "id": "{a}"},
	{"path": "/twice/{b}", "type": "second", "id": "{b}"},
]

asks(method, segments) := {"method": method, "host": "records.example", "segments": segments}

resource(method, segments) := found if {
	found := routes.resource(asks(method, segments)) with data.http.routes as table
}

test_the_table_has_no_faults if {
	count(routes.faults) == 0 with data.http.routes as table
}

test_no_table_maps_nothing_and_has_no_faults if {
	count(routes.faults) == 0
	not routes.resource(asks("GET", []))
}

test_the_root if resource("GET", []) == {"type": "page", "id": "home", "properties": {}}

test_text if resource("GET", ["patients"]) == {"type": "list", "id": "patients", "properties": {}}

test_a_variable if resource("GET", ["patients", "7"]) == {"type": "patient", "id": "7", "properties": {"id": "7"}}

test_several_variables if {
	resource("GET", ["patients", "7", "records", "r1"]) == {"type": "patient_record", "id": "r1", "properties": {"patient": "7", "record": "r1"}}
}

test_a_route_may_name_the_action if {
	found := routes.route(asks("GET", ["patients", "7", "records", "r1"])) with data.http.routes as table
	found.action == "open"
}

test_text_comes_before_a_variable if resource("GET", ["patients", "me"]).id == "me"

test_a_route_for_other_methods_does_not_count if resource("PUT", ["patients", "me"]).properties == {"id": "me"}

test_the_rest if resource("GET", ["files", "a", "b c"]) == {"type": "file", "id": "a/b c", "properties": {"name": "a/b c"}}

test_the_rest_is_never_nothing if not resource("GET", ["files"])

test_a_variable_comes_before_the_rest if {
	resource("PUT", ["files", "a"]).properties == {"name": "a"}
	resource("GET", ["files", "index"]).type == "list"
}

test_a_host_that_the_route_is_for if {
	found := routes.resource({"method": "GET", "host": "intern.example", "segments": ["a", "b"]}) with data.http.routes as table
	found.id == "b"
	not resource("GET", ["a", "b"])
}

test_a_variable_in_the_first_segment if resource("GET", ["a", "about"]).id == "a"

test_two_routes_for_one_path_are_none if not resource("GET", ["twice", "x"])

test_no_route if {
	every segments in [["doctors"], ["patients", "7", "records"], ["patients", "7", "records", "r1", "x"], ["Patients"], ["{}"], [""]] {
		not resource("GET", segments)
	}
}

test_a_segment_in_braces_is_what_it_is if resource("GET", ["patients", "{id}"]).id == "{id}"

good := {"path": "/a/{b}", "type": "a", "id": "{b}"}

faulty := {
	"no array": {"a": good},
	"no path": [object.remove(good, ["path"])],
	"a path that is a number": [object.union(good, {"path": 7})],
	"a path without a slash": [object.union(good, {"path": "a/{b}"})],
	"an empty segment": [object.union(good, {"path": "/a//{b}"})],
	"a slash at the end": [object.union(good, {"path": "/a/{b}/"})],
	"an open brace": [object.union(good, {"path": "/a{/{b}"})],
	"a variable with text beside it": [object.union(good, {"path": "/a/{b}x/{b}"})],
	"a variable without a name": [object.union(good, {"path": "/a/{}/{b}"})],
	"a rest that is not the end": [object.union(good, {"path": "/{a...}/{b}"})],
	"a name twice": [object.union(good, {"path": "/{b}/{b}"})],
	"no type": [object.remove(good, ["type"])],
	"an empty type": [object.union(good, {"type": ""})],
	"an id that is a number": [object.union(good, {"id": 7})],
	"an id that is no variable": [object.union(good, {"id": "{c}"})],
	"an id that is half a variable": [object.union(good, {"id": "x{b}"})],
	"methods that are a text": [object.union(good, {"methods": "GET"})],
	"methods that are false": [object.union(good, {"methods": false})],
	"a path that is encoded": [object.union(good, {"path": "/a%20b/{b}"})],
	"a path with a query": [object.union(good, {"path": "/a/{b}/c?d"})],
	"a path with a matrix parameter": [object.union(good, {"path": "/a;c/{b}"})],
	"a path with dots": [object.union(good, {"path": "/a/../{b}"})],
	"a path with a backslash": [object.union(good, {"path": "/a\\c/{b}"})],
	"a path with a space at an end": [object.union(good, {"path": "/a/{b}/c "})],
	"no methods": [object.union(good, {"methods": []})],
	"methods in small letters": [object.union(good, {"methods": ["GET", "post"]})],
	"a method that is a pattern": [object.union(good, {"methods": ["*"]})],
	"no hosts": [object.union(good, {"hosts": []})],
	"a host in capitals": [object.union(good, {"hosts": ["Records.example"]})],
	"a host with a port": [object.union(good, {"hosts": ["records.example:8443"]})],
	"a host with a pattern": [object.union(good, {"hosts": ["*.example"]})],
	"an empty host": [object.union(good, {"hosts": [""]})],
	"hosts with a number": [object.union(good, {"hosts": [7]})],
	"an action that is empty": [object.union(good, {"action": ""})],
	"a slip in a member's name": [object.union(good, {"method": ["GET"]})],
}

# A table of which a part is wrong maps nothing: without the faulty route, another
# could fit.
test_a_fault_is_found_and_nothing_is_mapped if {
	other := {"path": "/other", "type": "other", "id": "other"}
	every name, entries in faulty {
		every wrong in {entries | is_object(entries)} | {array.concat([other], entries) | is_array(entries)} {
			count(routes.faults) > 0 with data.http.routes as wrong
			not routes.resource(asks("GET", ["other"])) with data.http.routes as wrong
		}
		print(name)
	}
}

test_what_is_odd_and_no_fault if {
	every odd in [
		{"path": "/a b/100%/{b}"}, {"path": "/.well-known/{b}"}, {"path": "/v1.2/{b...}"}, {"methods": ["M-SEARCH"]},
		{"hosts": ["records.example", "10.0.0.7", "[2001:db8::1]", "localhost", "a_b-c"]},
	] {
		count(routes.faults) == 0 with data.http.routes as [object.union(good, odd)]
	}
}

test_the_table_of_those_tests_is_good_without_the_faults if {
	routes.resource(asks("GET", ["a", "x"])).id == "x" with data.http.routes as [good]
}
