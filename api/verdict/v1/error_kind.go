package verdictv1

import "github.com/verdictpdp/verdict/api/authz"

// errorKinds are how kinds of errors travel in answers.
var errorKinds = [...]ErrorKind{
	authz.Internal:           ErrorKind_ERROR_KIND_INTERNAL,
	authz.Invalid:            ErrorKind_ERROR_KIND_INVALID,
	authz.NotFound:           ErrorKind_ERROR_KIND_NOT_FOUND,
	authz.FailedPrecondition: ErrorKind_ERROR_KIND_FAILED_PRECONDITION,
	authz.LimitExceeded:      ErrorKind_ERROR_KIND_LIMIT_EXCEEDED,
	authz.Unavailable:        ErrorKind_ERROR_KIND_UNAVAILABLE,
	authz.DeadlineExceeded:   ErrorKind_ERROR_KIND_DEADLINE_EXCEEDED,
	authz.Canceled:           ErrorKind_ERROR_KIND_CANCELED,
	authz.Evaluation:         ErrorKind_ERROR_KIND_EVALUATION,
	authz.Unauthenticated:    ErrorKind_ERROR_KIND_UNAUTHENTICATED,
	authz.PermissionDenied:   ErrorKind_ERROR_KIND_PERMISSION_DENIED,
	authz.Overloaded:         ErrorKind_ERROR_KIND_OVERLOADED,
}

// ErrorKindOf is a kind as it travels. One that is not known is internal.
func ErrorKindOf(kind authz.Kind) ErrorKind {
	if int(kind) >= len(errorKinds) {
		return ErrorKind_ERROR_KIND_INTERNAL
	}
	return errorKinds[kind]
}

// Kind is the kind that has travelled. One that is not known is internal.
func (k ErrorKind) Kind() authz.Kind {
	for kind, travels := range errorKinds {
		if travels == k {
			return authz.Kind(kind)
		}
	}
	return authz.Internal
}
