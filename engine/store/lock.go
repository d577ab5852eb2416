package store

import "errors"

// errLocked is that of a directory which another process has locked.
var errLocked = errors.New("locked by another process")
