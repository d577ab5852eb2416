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
#   All of its members are there, empty where nothing is known. The path is in its one
#   form and the segments are decoded; names of headers and the host are in small
#   letters, the host without a port. A header that was sent several times has its values
#   with commas between. The principal is the identity of the caller's certificate,
#   which the proxy has verified. There is no data.directory: what is known about
#   subject and resource is for the policy that decides.
#
#   The rule request yields an object with subject, action, resource and perhaps
#   context, as a policy has them in input; properties may be left out, and what is not
#   known left out or null. Without a subject the proxy is told 401, and without an
#   action or a resource 403. Nothing else may be in it. A context that is left out is
#   what this document says about the request without its headers: method, scheme,
#   host, path, query and address.
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
request := {"subject": _subject, "action": _action, "resource": _resource}

_found := routes.found(input.http)

default _resource := null

_resource := routes.resource_of(_found, input.http)

default _offered := false

_offered := tokens.offered(input.http)

default _subject := null

_subject := tokens.subject(input.http) if _offered

_subject := _principal if not _offered

_subject := data.http.anonymous if {
	not _offered
	input.source.principal == ""
}

# data.http.principals is {"type": "service", "prefix": "spiffe://example/"}: the
# type of the subjects whom certificates name, and what their names begin with, which
# is left out of the id.
_principal := {"type": type, "id": id} if {
	type := data.http.principals.type
	prefix := object.get(data.http.principals, "prefix", "")
	startswith(input.source.principal, prefix)
	id := substring(input.source.principal, count(prefix), -1)
	id != ""
}

default _action := null

_action := {"name": _name}

_name := name if {
	name := _found.route.action
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
