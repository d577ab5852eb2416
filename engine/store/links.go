package store

import (
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// readLinks reads the links at a key.
func readLinks(from source, key []byte) (Links, error) {
	var links Links
	_, err := readValue(from, key, func(value []byte) (err error) {
		links, err = decodeLinks(value)
		return err
	})
	return links, err
}

// recentLinks are the links that the latest commits left, for the writer: what
// an import puts below the same few parents changes the same few links again
// and again. It is bounded, and forgets everything to make room.
type recentLinks map[linksKey]Links

type linksKey struct {
	tenant string
	ref    authz.EntityRef
}

const maxRecentLinks = 1 << 15

// of are the links of an entity, if they are among those known.
func (r recentLinks) of(tenant string, ref authz.EntityRef) (links Links, known bool) {
	links, known = r[linksKey{tenant, ref}]
	return links, known
}

// set notes what a commit left.
func (r recentLinks) set(tenant string, links map[authz.EntityRef]Links) {
	if len(r)+len(links) > maxRecentLinks {
		clear(r)
	}
	if len(links) > maxRecentLinks {
		return
	}
	for ref, l := range links {
		k := linksKey{tenant, ref}
		if _, known := r[k]; !known {
			// The refs may be parts of something large.
			k.ref = authz.EntityRef{Type: strings.Clone(ref.Type), ID: strings.Clone(ref.ID)}
		}
		r[k] = l
	}
}
