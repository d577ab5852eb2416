# METADATA
# title: What a proxy asks
# description: >-
#   Turns an HTTP request, as a proxy describes it, into a request that a policy
#   decides. A bundle that has a package of this name replaces it, and can still use
#   verdict.routes and verdict.tokens. The document input is
#
#     {"http": {"method": "GET", "scheme": "https", "host": "records.example",
#               "path": "/patients/7", "segments": ["patients", "7"],
#               "query": {"full": ["1"]}, "headers": {"accept": "text/html"}},
#      "source": {"address": "10.0.0.7", "principal": "spiffe://example/web"},
#      "tenant": "default"}
#
#   All of its members are there, empty where nothing is known. The path is in its one form and
#   the segments are decoded; names of headers and the host are in small letters,
#   the host without a port. A header that was sent several times has its values
#   with commas between. The principal is the identity of the caller's certificate,
#   which the proxy has verified. There is no data.directory: what is known about
#   subject and resource is for the policy that decides.
#
#   The rule request yields an object with subject, action, resource and perhaps
#   context, as a policy has them in input; what it says about properties and the
#   context may be left out. Without a subject the proxy is told 401, and without an
#   action or a resource 403. Nothing else may be in it.
#
#   What is shipped takes the subject from a token (data.http.tokens), or else from
#   the principal (data.http.principals), or else, where the request has neither,
#   from data.http.anonymous. A token that is not good leaves no subject, whatever
#   else there is. The resource comes from data.http.routes, and the action from the
#   route or by the method from data.http.actions.
package verdict.http

import rego.v2

import data.verdict.routes
import data.verdict.tokens

# METADATA
# title: The request
request := {name: part | some name, part in _parts}

_parts.subject := _subject

_parts.action := {"name": _action, "properties": {}}

_parts.resource := routes.resource(input.http)

_parts.context := {
	"method": input.http.method,
	"scheme": input.http.scheme,
	"host": input.http.host,
	"path": input.http.path,
	"query": input.http.query,
	"address": input.source.address,
}

_subject := tokens.subject(input.http) if tokens.offered(input.http)

_subject := _principal if not tokens.offered(input.http)

_subject := object.union({"properties": {}}, data.http.anonymous) if {
	not tokens.offered(input.http)
	input.source.principal == ""
}

# data.http.principals is {"type": "service", "prefix": "spiffe://example/"}: the
# type of the subjects whom certificates name, and what their names begin with, which
# is left out of the id.
_principal := {"type": type, "id": id, "properties": {}} if {
	type := data.http.principals.type
	prefix := object.get(data.http.principals, "prefix", "")
	startswith(input.source.principal, prefix)
	id := substring(input.source.principal, count(prefix), -1)
	id != ""
}

_action := action if {
	action := routes.route(input.http).route.action
} else := data.http.actions[input.http.method] if {
	data.http.actions
} else := _actions[input.http.method] if {
	not data.http.actions
}

_actions := {
	"GET": "read",
	"HEAD": "read",
	"POST": "create",
	"PUT": "update",
	"PATCH": "update",
	"DELETE": "delete",
}
