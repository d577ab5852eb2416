package verdict.http_test

import rego.v2

import data.verdict.fixture
import data.verdict.http
import data.verdict.tokens_test

asks(method, segments, authorization, principal) := {
	"http": {
		"method": method, "scheme": "https", "host": "records.example",
		"path": concat("/", array.concat([""], segments)), "segments": segments, "query": {},
		"headers": {"authorization": authorization},
	},
	"source": {"address": "10.0.0.7", "principal": principal},
	"tenant": "hospital",
}

bundle := {
	"routes": [
		{"path": "/patients/{id}", "type": "patient", "id": "{id}"},
		{"path": "/patients/{id}/discharge", "type": "patient", "id": "{id}", "methods": ["POST"], "action": "discharge"},
	],
	"tokens": [tokens_test.entry],
	"principals": {"type": "service", "prefix": "spiffe://example/"},
	"anonymous": {"type": "user", "id": "anonymous"},
}

mapped(document, static) := found if {
	found := http.request with input as document
		with data.http as static
		with time.now_ns as fixture.now
}

bearer := concat(" ", ["Bearer", tokens_test.token.good])

test_a_whole_request if {
	mapped(asks("GET", ["patients", "7"], bearer, ""), bundle) == {
		"subject": {"type": "user", "id": "mina", "properties": {"acr": "mfa"}},
		"action": {"name": "read"},
		"resource": {"type": "patient", "id": "7", "properties": {"id": "7"}},
	}
}

test_methods if {
	actions := {"GET": "read", "HEAD": "read", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
	every method, action in actions {
		mapped(asks(method, ["patients", "7"], bearer, ""), bundle).action.name == action
	}
	every method in ["OPTIONS", "TRACE", "get", "BREW", ""] {
		mapped(asks(method, ["patients", "7"], bearer, ""), bundle).action == null
	}
}

test_methods_of_the_bundle_take_the_place_of_all if {
	static := object.union(bundle, {"actions": {"OPTIONS": "ask"}})
	mapped(asks("OPTIONS", ["patients", "7"], bearer, ""), static).action.name == "ask"
	mapped(asks("GET", ["patients", "7"], bearer, ""), static).action == null
}

test_the_action_of_a_route if {
	mapped(asks("POST", ["patients", "7", "discharge"], bearer, ""), bundle).action.name == "discharge"
}

test_no_route_leaves_the_subject if {
	found := mapped(asks("GET", ["doctors"], bearer, ""), bundle)
	found.subject.id == "mina"
	found.resource == null
}

test_a_principal if {
	mapped(asks("GET", ["patients", "7"], "", "spiffe://example/web"), bundle).subject == {"type": "service", "id": "web"}
}

test_a_token_comes_before_the_principal if {
	mapped(asks("GET", ["patients", "7"], bearer, "spiffe://example/web"), bundle).subject.id == "mina"
}

test_a_bad_token_leaves_no_subject_whatever_else_there_is if {
	every principal in ["", "spiffe://example/web"] {
		found := mapped(asks("GET", ["patients", "7"], "Bearer x", principal), bundle)
		found.resource.id == "7"
		found.subject == null
	}
}

test_a_principal_of_elsewhere_leaves_no_subject if {
	every principal in ["spiffe://example/", "spiffe://other/web", "web"] {
		mapped(asks("GET", ["patients", "7"], "", principal), bundle).subject == null
	}
}

test_principals_are_not_taken_unless_the_bundle_says_so if {
	every static in [object.remove(bundle, ["principals"]), object.union(bundle, {"principals": 7})] {
		mapped(asks("GET", ["patients", "7"], "", "spiffe://example/web"), static).subject == null
	}
}

test_without_a_prefix_the_principal_is_the_id if {
	static := object.union(object.remove(bundle, ["principals"]), {"principals": {"type": "service"}})
	mapped(asks("GET", ["patients", "7"], "", "CN=web"), static).subject.id == "CN=web"
}

test_neither_token_nor_principal_is_anonymous if {
	mapped(asks("GET", ["patients", "7"], "Basic eDp5", ""), bundle).subject == {"type": "user", "id": "anonymous"}
	mapped(asks("GET", ["patients", "7"], "", ""), object.remove(bundle, ["anonymous"])).subject == null
}

test_a_bundle_without_data_maps_nothing if {
	found := mapped(asks("GET", ["patients", "7"], bearer, "spiffe://example/web"), {})
	found.subject == null
	found.resource == null
	found.action.name == "read"
}
