package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// searches are the three searches.
func searches(c *Client) map[pdp.SearchFor]func(context.Context, authz.Request, SearchOptions) iter.Seq2[Page, error] {
	return map[pdp.SearchFor]func(context.Context, authz.Request, SearchOptions) iter.Seq2[Page, error]{
		pdp.Subjects: c.SearchSubjects, pdp.Resources: c.SearchResources, pdp.Actions: c.SearchActions,
	}
}

// turning finds two results a page of letters from a to e, and keeps what it is asked.
func turning(asked *[]pdp.Search) func(pdp.Search) (pdp.Found, error) {
	return func(s pdp.Search) (pdp.Found, error) {
		*asked = append(*asked, s)
		letters := strings.Split("abcde", "")
		from := slices.Index(letters, s.Token) + 1
		found := pdp.Found{
			IDs: letters[from:min(from+2, len(letters))], PolicyRevision: "r1", DirectoryRevision: 7,
			Method: pdp.ByIndex, Notes: []string{"by owner"}, Candidates: 3,
		}
		if last := from + 1; last < len(letters)-1 {
			found.Next = letters[last]
		}
		return found, nil
	}
}

func TestSearchGoesThroughAllPages(t *testing.T) {
	for what := range searches(nil) {
		t.Run(fmt.Sprint(what), func(t *testing.T) {
			var asked []pdp.Search
			c := dialTo(t, startVerdict(t, &decider{search: turning(&asked)}, "", nil).address)
			consistency := authz.Consistency{AtLeast: 3}
			var pages []Page
			for page, err := range searches(c)[what](t.Context(), wholeRequest(), SearchOptions{PageSize: 2, Consistency: consistency}) {
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, page)
			}
			page := Page{PolicyRevision: "r1", DirectoryRevision: 7, ByIndex: true, Notes: []string{"by owner"}, Candidates: 3}
			first, second, third := page, page, page
			first.IDs, first.Next = []string{"a", "b"}, "b"
			second.IDs, second.Next = []string{"c", "d"}, "d"
			third.IDs = []string{"e"}
			if diff := cmp.Diff([]Page{first, second, third}, pages); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
			request := wholeRequest()
			if what == pdp.Actions {
				request.Action = authz.Action{}
			}
			var want []pdp.Search
			for _, token := range []string{"", "b", "d"} {
				want = append(want, pdp.Search{For: what, Request: &request, Limit: 2, Token: token, Consistency: consistency})
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSearchAsksForNoMoreThanIsLookedAt(t *testing.T) {
	var asked []pdp.Search
	c := dialTo(t, startVerdict(t, &decider{search: turning(&asked)}, "", nil).address)
	found := c.SearchResources(t.Context(), requestAbout(""), SearchOptions{})
	var next string
	for page, err := range found {
		if err != nil {
			t.Fatal(err)
		}
		next = page.Next
		break
	}
	if len(asked) != 1 {
		t.Errorf("asked for %d pages, want 1", len(asked))
	}
	var rest []string
	for page, err := range c.SearchResources(t.Context(), requestAbout(""), SearchOptions{From: next}) {
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, page.IDs...)
	}
	if got := strings.Join(rest, ""); got != "cde" {
		t.Errorf("what comes after the first page: %s", got)
	}
}

func TestWhatEndsASearch(t *testing.T) {
	invalid := authz.InvalidField("page_token", "this is no token of this search")
	// The second page fails, or else is the first once more.
	second := func(err error) func(pdp.Search) (pdp.Found, error) {
		return func(s pdp.Search) (pdp.Found, error) {
			if s.Token != "" {
				return pdp.Found{IDs: []string{"a"}, Next: "a"}, err
			}
			return pdp.Found{IDs: []string{"a"}, Next: "a"}, nil
		}
	}
	first := func(err error) func(pdp.Search) (pdp.Found, error) {
		return func(pdp.Search) (pdp.Found, error) { return pdp.Found{}, err }
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	nameless := requestAbout("")
	nameless.Subject.ID = "\xff"
	tests := []struct {
		name    string
		ctx     context.Context
		search  func(pdp.Search) (pdp.Found, error)
		request authz.Request
		options SearchOptions
		pages   int
		kind    authz.Kind
		text    string
	}{
		{"a candidate that cannot be decided", t.Context(), second(authz.Errorf(authz.Evaluation, "ticket:b: division by zero")), requestAbout(""), SearchOptions{}, 1, authz.Internal, "ticket:b: division by zero"},
		{"another policy", t.Context(), second(authz.Errorf(authz.FailedPrecondition, "another policy has become active")), requestAbout(""), SearchOptions{}, 1, authz.FailedPrecondition, "another policy"},
		{"another server", t.Context(), second(invalid), requestAbout(""), SearchOptions{}, 1, authz.FailedPrecondition, "the server that began the search is gone: begin it again"},
		{"a token of the caller's that is none", t.Context(), first(invalid), requestAbout(""), SearchOptions{From: "x"}, 0, authz.Invalid, "page_token: this is no token"},
		{"a page after itself", t.Context(), second(nil), requestAbout(""), SearchOptions{}, 1, authz.Internal, "is to be followed by itself"},
		{"a server that has none", t.Context(), first(authz.Errorf(authz.NotFound, "unknown tenant")), requestAbout(""), SearchOptions{}, 0, authz.NotFound, "unknown tenant"},
		{"a request that cannot be sent", t.Context(), nil, nameless, SearchOptions{}, 0, authz.Invalid, "subject.id: is not valid UTF-8"},
		{"a page that is too large", t.Context(), nil, requestAbout(""), SearchOptions{PageSize: MaxPageSize + 1}, 0, authz.Invalid, "page_size: 1001"},
		{"a page of less than nothing", t.Context(), nil, requestAbout(""), SearchOptions{PageSize: -1}, 0, authz.Invalid, "page_size: -1"},
		{"a caller that is gone", gone, nil, requestAbout(""), SearchOptions{}, 0, authz.Canceled, "gave up"},
		{"a deadline that is over", over, nil, requestAbout(""), SearchOptions{}, 0, authz.DeadlineExceeded, "within the deadline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialTo(t, startVerdict(t, &decider{search: tt.search}, "", nil).address)
			pages := 0
			var last error
			for page, err := range c.SearchResources(tt.ctx, tt.request, tt.options) {
				if last = err; err == nil {
					pages++
				} else if len(page.IDs) > 0 {
					t.Errorf("with the error came %q", page.IDs)
				}
			}
			if pages != tt.pages || authz.KindOf(last) != tt.kind || last == nil || !strings.Contains(last.Error(), tt.text) {
				t.Errorf("%d pages, then %v of kind %v", pages, last, authz.KindOf(last))
			}
		})
	}
}

// Tokens are a server's own, so all pages of a search come from one of several.
func TestPagesComeFromOneServer(t *testing.T) {
	noneLeft(t)
	var servers []*verdict
	var targets []string
	asked := make([][]pdp.Search, 3)
	for i := range asked {
		v := startVerdict(t, &decider{search: turning(&asked[i])}, "", nil)
		servers, targets = append(servers, v), append(targets, v.address)
	}
	c := dialTo(t, strings.Join(targets, ","))
	checkTogether(t, c, 20) // connects to all
	for range 10 {
		var ids []string
		for page, err := range c.SearchSubjects(within5s(t), requestAbout("1"), SearchOptions{PageSize: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, page.IDs...)
		}
		if got := strings.Join(ids, ""); got != "abcde" {
			t.Fatalf("found %s", got)
		}
	}
	one := -1
	for i := range asked {
		if len(asked[i]) > 0 && one >= 0 {
			t.Errorf("servers %d and %d were both asked", one, i)
		} else if len(asked[i]) > 0 {
			one = i
		}
	}
	// Another takes its place.
	servers[one].stop()
	var err error
	waitFor(t, func() bool {
		for _, err = range c.SearchSubjects(within5s(t), requestAbout("1"), SearchOptions{PageSize: 2}) {
		}
		return err == nil
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err = range c.SearchSubjects(within5s(t), requestAbout("1"), SearchOptions{}) {
	}
	if !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A server that says that it is not ready is passed over by searches as by checks, from
// its start on and from when on it drains.
func TestSearchesPassOverServersThatAreNotReady(t *testing.T) {
	noneLeft(t)
	const servers = 3
	var asked [servers]atomic.Int64
	var ready [servers]atomic.Bool
	var targets []string
	for i := range servers {
		found := func(pdp.Search) (pdp.Found, error) {
			asked[i].Add(1)
			return pdp.Found{IDs: []string{"a"}, Method: pdp.ByIndex}, nil
		}
		state := func() error {
			if !ready[i].Load() {
				return errors.New("draining")
			}
			return nil
		}
		targets = append(targets, startVerdict(t, &decider{search: found}, "", state).address)
	}
	c := dialTo(t, strings.Join(targets, ","), WithWaitForReady())
	search := func() {
		t.Helper()
		for _, err := range c.SearchSubjects(within5s(t), requestAbout("1"), SearchOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 2 * servers {
		here := i % servers
		for other := range servers {
			ready[other].Store(other == here)
		}
		before := asked[here].Load()
		waitFor(t, func() bool { search(); return asked[here].Load() > before })
		before = asked[here].Load()
		const searches = 10
		for range searches {
			search()
		}
		if got := asked[here].Load() - before; got != searches {
			t.Fatalf("%d of %d searches went to the one server that is ready", got, searches)
		}
	}
}
