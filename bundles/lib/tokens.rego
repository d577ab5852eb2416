# METADATA
# title: Tokens of a person's login
# description: >-
#   Reads the JSON Web Token (RFC 7519) of an Authorization header, by
#   data.http.tokens. Each of these says whose tokens are taken:
#
#     issuer     as the claim iss has it
#     audience   as the claim aud has it, or a list of which it has one
#     algorithm  RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA
#     keys       a JSON Web Key Set, or a certificate or public key as PEM text
#     type       the subject's type; left out, user
#     claim      the claim that is the subject's id; left out, sub
#     properties the claims that become the subject's properties; left out, none
#
#   All but the last three are needed, and a token is held to all of them: an entry
#   that lacks one takes no token, and no entry at all takes none. A token must have
#   an end (exp) that is to come, and begin (nbf) in the past if it says when.
#
#   The signature is checked by io.jwt.verify_… and the rest here, since
#   io.jwt.decode_verify looks at the machine's clock and so is turned off: what is
#   decided by a token can be replayed at the decision's time.
package verdict.tokens

import rego.v2

# METADATA
# title: Whether a request has a token
# description: Good or bad, where tokens are taken at all.
default offered(_) := false

offered(http) if {
	count(data.http.tokens) > 0
	regex.match(`(?i)^\s*bearer(\s|$)`, http.headers.authorization)
}

# Behind another, where some server would see one as well.
offered(http) if {
	count(data.http.tokens) > 0
	contains(http.headers.authorization, ",")
	regex.match(`(?i),\s*bearer(\s|$)`, http.headers.authorization)
}

# METADATA
# title: The claims of a request's token
# description: Undefined unless the token is good.
claims(http) := found.claims if found := _verified(http)

# METADATA
# title: The subject of a request's token
# description: Undefined unless the token is good and names one.
subject(http) := {"type": object.get(found.entry, "type", "user"), "id": id, "properties": properties} if {
	found := _verified(http)
	id := found.claims[object.get(found.entry, "claim", "sub")]
	is_string(id)
	id != ""
	properties := {name: found.claims[name] | some name in found.entry.properties}
}

_verified(http) := {"claims": claims, "entry": entry} if {
	offered(http)

	authorization := http.headers.authorization
	lower(substring(authorization, 0, count("bearer "))) == "bearer "
	token := substring(authorization, count("bearer "), -1)

	# Each of three parts is base64 for URLs, without padding.
	trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") == ""
	parts := split(token, ".")
	count(parts) == 3
	every part in parts {
		part != ""
		count(part) % 4 != 1
	}

	header := _object(parts[0])
	not "crit" in object.keys(header)
	every name in ["typ", "cty", "kid"] { is_string(object.get(header, name, "")) }
	claims := _object(parts[1])
	positions := {position |
		some position, entry in data.http.tokens
		entry.algorithm == header.alg
		entry.issuer == claims.iss
		_audience(entry.audience, claims.aud)
		_signed(entry.algorithm, token, _keys[position])
	}
	entry := data.http.tokens[min(positions)]
	_in_time(claims)
}

# A part of a token, where that is an object.
_object(part) := object if {
	text := base64url.decode(part)
	json.is_valid(text)
	not _is_beyond_numbers(text)
	object := json.unmarshal(text)
	is_object(object)
}

# Whether JSON has numbers so large, or so close to zero, that to read them is an error:
# an exponent of five digits or, among very many digits, any.
_is_beyond_numbers(text) if _has_exponents(text, `[0-9][eE][+-]?[0-9]{5}`)

_is_beyond_numbers(text) if {
	count(text) > 10000
	_has_exponents(text, `[0-9][eE][+-]?[0-9]`)
}

_has_exponents(text, exponents) if {
	regex.match(exponents, text)
	regex.match(exponents, regex.replace(text, `"(\\.|[^"\\])*"`, `""`)) # texts may look like them
}

# The keys of each entry as the built-ins take them. It takes no argument and is
# whole, so that it is made once, at activation.
_keys := {position: _text_of(entry.keys) | some position, entry in data.http.tokens}

_text_of(keys) := json.marshal(keys) if is_object(keys)

_text_of(keys) := keys if is_string(keys)

_audience(wanted, aud) if {
	some one in _list(wanted)
	is_string(one)
	one in _list(aud)
}

_list(value) := value if is_array(value)

_list(value) := [value] if not is_array(value)

_in_time(claims) if {
	is_number(claims.exp)
	time.now_ns() < claims.exp * 1000000000
	begin := object.get(claims, "nbf", 0)
	is_number(begin)
	time.now_ns() >= begin * 1000000000
}

_signed("RS256", token, keys) if io.jwt.verify_rs256(token, keys)

_signed("RS384", token, keys) if io.jwt.verify_rs384(token, keys)

_signed("RS512", token, keys) if io.jwt.verify_rs512(token, keys)

_signed("PS256", token, keys) if io.jwt.verify_ps256(token, keys)

_signed("PS384", token, keys) if io.jwt.verify_ps384(token, keys)

_signed("PS512", token, keys) if io.jwt.verify_ps512(token, keys)

_signed("ES256", token, keys) if io.jwt.verify_es256(token, keys)

_signed("ES384", token, keys) if io.jwt.verify_es384(token, keys)

_signed("ES512", token, keys) if io.jwt.verify_es512(token, keys)

_signed("EdDSA", token, keys) if io.jwt.verify_eddsa(token, keys)
