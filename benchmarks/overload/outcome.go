package main

import "google.golang.org/protobuf/encoding/protowire"

// An outcome is what an answer says, beside what it should.
type outcome int

const (
	right outcome = iota
	wrong
	// deniedByError is a deny for an error: no wrong one, for nothing is allowed that
	// should not be, but not the policy's.
	deniedByError
)

// The fields of the answers.
const (
	allowedField   = 1 // of a CheckAccessResponse
	errorField     = 8
	responsesField = 1 // of a BatchCheckAccessResponse
)

// outcomeOf is that of the beginning of a gRPC message, with the answer to a check; of
// a batch, whose items are compared with nothing, whether one is denied by an error.
func outcomeOf(data []byte, allowed bool) outcome {
	const prefix = 5
	data = data[min(prefix, len(data)):]
	if len(data) == 0 || data[0] != byte(protowire.EncodeTag(responsesField, protowire.BytesType)) {
		switch is, failed := answerIn(data); {
		case failed && !is:
			return deniedByError
		case is != allowed, failed:
			return wrong
		}
		return right
	}
	for len(data) > 0 {
		item, n := protowire.ConsumeBytes(data[1:])
		if n < 0 { // the rest is in the next frame
			break
		}
		if _, failed := answerIn(item); failed {
			return deniedByError
		}
		data = data[1+n:]
	}
	return right
}

// answerIn says whether a CheckAccessResponse allows, and whether it has an error.
func answerIn(data []byte) (allowed, failed bool) {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return false, true
		}
		switch field {
		case allowedField:
			value, _ := protowire.ConsumeVarint(data[n:])
			allowed = value == 1
		case errorField:
			failed = true
		}
		m := protowire.ConsumeFieldValue(field, kind, data[n:])
		if m < 0 {
			return false, true
		}
		data = data[n+m:]
	}
	return allowed, failed
}
