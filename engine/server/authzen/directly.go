package authzen

import (
	"net/http"
	"path"
	"strings"
)

// directly serves requests by a mux where it takes their paths as they stand, and all
// others by another handler. A mux would redirect to the path that it takes one for,
// which is no answer to a POST, and would answer to no path at all, as of OPTIONS *,
// without a body.
func directly(mux *http.ServeMux, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isClean(r.URL.EscapedPath()) {
			mux.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// isClean reports whether a path has no dot segments and no empty ones but the last.
func isClean(p string) bool {
	if !strings.HasPrefix(p, "/") {
		return false
	}
	cleaned := path.Clean(p)
	return p == cleaned || cleaned != "/" && p == cleaned+"/"
}
