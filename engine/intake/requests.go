package intake

import (
	"cmp"
	"net/http"
	"net/netip"
	"sync"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Requests bounds what the clients of an HTTP server have it hold for them: the
// requests that are under way, and the bytes of answers that are being written. How long
// each may last is for the server to bound, by its timeouts.
type Requests struct {
	limits  Limits
	limited func(authz.Limit)
	logger  *zap.Logger

	mu     sync.Mutex
	open   int
	held   int64
	byPeer map[netip.Prefix]*requester
}

// A requester is a peer with requests under way.
type requester struct {
	open    int
	held    int64
	writing map[*writing]int64
}

// NewRequests makes a Requests of the options but for MayWait and the limit of Transfer.
func NewRequests(o Options) *Requests {
	if o.Limited == nil {
		o.Limited = func(authz.Limit) {}
	}
	return &Requests{limits: o.Limits.orDefaults(), limited: o.Limited, logger: o.Logger, byPeer: map[netip.Prefix]*requester{}}
}

// orDefaults are the limits with defaults for what is 0.
func (l Limits) orDefaults() Limits {
	return Limits{
		Calls:        cmp.Or(l.Calls, DefaultCalls),
		CallsPerPeer: cmp.Or(l.CallsPerPeer, DefaultCallsPerPeer),
		Bytes:        cmp.Or(l.Bytes, DefaultBytes),
		Transfer:     cmp.Or(l.Transfer, DefaultTransfer),
	}
}

// Bound has next answer, and refuse those that are too many, with an error of kind
// authz.Overloaded.
func (q *Requests) Bound(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerAt(r.RemoteAddr)
		if limit := q.enter(peer); limit != authz.OtherLimit {
			q.tell("a request is refused", limit, "there are too many", peer)
			refuse(w, r, tooMany(limit))
			return
		}
		defer q.leave(peer)
		next.ServeHTTP(&writing{ResponseWriter: w, requests: q, peer: peer}, r)
	})
}

// enter counts a request, or says which limit that it would be beyond.
func (q *Requests) enter(peer netip.Prefix) (limit authz.Limit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := q.byPeer[peer]
	switch {
	case q.open >= q.limits.Calls:
		return authz.CallsLimit
	case of != nil && peer.IsValid() && of.open >= q.limits.CallsPerPeer:
		return authz.CallsPerPeerLimit
	case of == nil:
		of = &requester{writing: map[*writing]int64{}}
		q.byPeer[peer] = of
	}
	q.open++
	of.open++
	return authz.OtherLimit
}

func (q *Requests) leave(peer netip.Prefix) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	of := q.byPeer[peer]
	if of.open--; of.open == 0 {
		delete(q.byPeer, peer)
	}
}

// A writing is the answer to a request.
type writing struct {
	http.ResponseWriter
	requests *Requests
	peer     netip.Prefix
}

// Unwrap is for http.ResponseController.
func (w *writing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// freeBytes are written without being counted: what net/http and the system take at once.
const freeBytes = 4 << 10

// Write implements http.ResponseWriter. Meanwhile what is written is held.
func (w *writing) Write(text []byte) (int, error) {
	if len(text) > freeBytes {
		w.requests.hold(w, int64(len(text)))
		defer w.requests.hold(w, -int64(len(text)))
	}
	return w.ResponseWriter.Write(text)
}

// hold counts what is held more, or less. While it is too much, the largest answer of
// the peer that has most is given up.
func (q *Requests) hold(w *writing, bytes int64) {
	for _, given := range q.count(w, bytes) {
		q.tell("an answer is given up", authz.InFlightLimit, "it is the largest of the peer that holds most", given.peer)
		// It fails where the connection has gone, and the answer with it.
		_ = http.NewResponseController(given.ResponseWriter).SetWriteDeadline(longAgo)
	}
}

func (q *Requests) tell(what string, limit authz.Limit, why string, peer netip.Prefix) {
	q.limited(limit)
	q.logger.Warn(what, zap.String("limit", "limits."+limit.String()), zap.String("why", why), zap.Stringer("peer", peer))
}

// count counts bytes, and returns what is to be given up.
func (q *Requests) count(w *writing, bytes int64) (given []*writing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := q.byPeer[w.peer]
	if bytes < 0 {
		bytes = -of.writing[w] // nothing, if it was given up
		delete(of.writing, w)
	} else {
		of.writing[w] = bytes
	}
	of.held += bytes
	q.held += bytes
	for q.held > q.limits.Bytes {
		heaviest := q.heaviest()
		largest := heaviest.largest()
		q.held -= heaviest.writing[largest]
		heaviest.held -= heaviest.writing[largest]
		delete(heaviest.writing, largest)
		given = append(given, largest)
	}
	return given
}

func (q *Requests) heaviest() (heaviest *requester) {
	for _, of := range q.byPeer {
		if heaviest == nil || of.held > heaviest.held {
			heaviest = of
		}
	}
	return heaviest
}

func (r *requester) largest() (largest *writing) {
	for w, bytes := range r.writing {
		if largest == nil || bytes > r.writing[largest] {
			largest = w
		}
	}
	return largest
}
