package authz

import "unicode/utf8"

// An Author is who made a change, from where and why, as the change record keeps
// it. The zero value is nobody who is known.
type Author struct {
	// Subject is the caller that wrote, such as service:hr-sync.
	Subject EntityRef
	// Method is how the caller proved who it is: mtls, jwt, token or peer, or local for
	// a user of the machine who wrote into the store itself. Empty where callers are not
	// authenticated.
	Method string
	// Address is where the call came from: an IP address, or unix for a Unix
	// socket. Empty for a change that the server made itself.
	Address string
	// OnBehalfOf is the person for whom the caller wrote; zero for nobody.
	OnBehalfOf EntityRef
	// Reason is why, in the words of whoever wrote: at most MaxReasonBytes of
	// UTF-8.
	Reason string
}

// Validate reports what of an author a request may not say.
func (a Author) Validate() error {
	if len(a.Reason) > MaxReasonBytes {
		return InvalidField("reason", "has %d bytes: at most %d are allowed", len(a.Reason), MaxReasonBytes)
	}
	if !utf8.ValidString(a.Reason) {
		return InvalidField("reason", "is not UTF-8")
	}
	if a.OnBehalfOf == (EntityRef{}) {
		return nil
	}
	return InField("on_behalf_of", a.OnBehalfOf.ValidateStored())
}
