# METADATA
# title: Consent
# description: >-
#   Consents that a person has given, kept in the person's attributes by
#   purpose: {"consents": {"marketing": {"given_at": TIME, "withdrawn_at": TIME,
#   "expires_at": TIME}}}, with times as in RFC 3339. The last two may be left
#   out. Consent to share with someone in particular stands under that
#   recipient's ref: {"consents": {"sharing": {"recipients": {"app:run": {…}}}}}.
package verdict.consent

import rego.v2

# METADATA
# title: A person has consented to a purpose
given(person, purpose) if in_force(person.attributes.consents[purpose])

# METADATA
# title: A person has consented to a purpose for one recipient
# description: The recipient is a ref. Consent to the purpose in general is not enough.
given_to(person, purpose, recipient) if {
	in_force(person.attributes.consents[purpose].recipients[recipient])
}

# METADATA
# title: A consent is in force
# description: From the moment it was given until the moment it was withdrawn or ran out.
in_force(consent) if {
	time.parse_rfc3339_ns(consent.given_at) <= time.now_ns()
	_not_reached(consent, "withdrawn_at")
	_not_reached(consent, "expires_at")
}

# Said without negation: a time that cannot be read ends the consent.
_not_reached(consent, member) if time.now_ns() < time.parse_rfc3339_ns(consent[member])

_not_reached(consent, member) if not member in object.keys(consent)
