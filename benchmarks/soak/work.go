package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// Work is all that is done to a server.
type work struct {
	server *server
	worlds []*world
	ledger *ledger
	// direct is a connection for what is no check.
	direct *grpc.ClientConn
	// backups are the files of a full one and of those that go on from it.
	backups []string
}

func newWork(s *server, worlds []*world, l *ledger) *work {
	direct, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err) // the address is one that the server has told
	}
	return &work{server: s, worlds: worlds, ledger: l, direct: direct}
}

// A chore is a kind of work that is done again and again.
type chore struct {
	name string
	// every is how long one who does it waits in between, and by is how many do it.
	every time.Duration
	by    int
	// flooded chores may be refused as overloaded.
	flooded bool
	// whole chores are done for the whole store, and not in each of the tenants.
	whole bool
	do    func(ctx context.Context, w *work, world *world, n int) error
}

// chores are all of them, for each of the tenants.
var chores = []chore{
	{"check", 5 * time.Millisecond, 2, false, false, nil}, // by a client that comes and goes: see checks
	{"http", 20 * time.Millisecond, 1, false, false, askHTTP},
	{"batch", 200 * time.Millisecond, 1, true, false, askBatch},
	{"search", 500 * time.Millisecond, 1, true, false, search},
	{"break off", 100 * time.Millisecond, 1, true, false, breakOff},
	{"write", 20 * time.Millisecond, 1, false, false, writeNote},
	{"import", 3 * time.Second, 1, false, false, importNotes},
	{"export", 5 * time.Second, 1, false, false, export},
	{"watch", 100 * time.Millisecond, 1, false, false, watch},
	{"reload", 2 * time.Second, 1, false, false, reload},
	{"backup", 3 * time.Second, 1, false, true, backUp},
}

// begin has everybody work until ctx ends. The function that it returns waits for
// them.
func (w *work) begin(ctx context.Context, p *pause) (ended func()) {
	var all sync.WaitGroup
	for i, world := range w.worlds {
		for _, c := range chores {
			if c.whole && i > 0 {
				continue
			}
			flooded := c.flooded || world.tenant == customer
			for range c.by {
				if c.do == nil {
					all.Go(func() { w.checks(ctx, p, c, world) })
					continue
				}
				all.Go(func() {
					for n := 0; sleep(ctx, c.every) && p.enter(ctx) == nil; n++ {
						w.note(ctx, c.name, flooded, c.do(ctx, w, world, n))
						p.leave()
					}
				})
			}
		}
		if world.tenant == customer {
			all.Go(func() { w.flood(ctx, p, world) })
		}
	}
	return all.Wait
}

func (w *work) close() { _ = w.direct.Close() }

// note notes what became of a piece of work, unless it was the end that ended it.
func (w *work) note(ctx context.Context, name string, flooded bool, err error) {
	if err == nil || ctx.Err() == nil {
		w.ledger.add(name, flooded, err)
	}
}

// checksOfAClient is after how many checks a client goes, and another comes.
const checksOfAClient = 500

// checks asks for one decision after the other.
func (w *work) checks(ctx context.Context, p *pause, c chore, world *world) {
	flooded := world.tenant == customer
	for {
		if p.enter(ctx) != nil {
			return
		}
		verdict, err := client.New(w.server.grpc, client.WithTenant(world.tenant))
		p.leave()
		if err != nil {
			w.note(ctx, c.name, flooded, err)
			return
		}
		for n := 0; n < checksOfAClient && !p.begun() && sleep(ctx, c.every) && p.enter(ctx) == nil; n++ {
			begin := time.Now()
			err := ask(ctx, verdict, world)
			if err == nil {
				w.ledger.took(world.tenant, time.Since(begin))
			}
			w.note(ctx, c.name, flooded, err)
			p.leave()
		}
		_ = verdict.Close()
		if ctx.Err() != nil {
			return
		}
	}
}

// ask asks one question, and looks at the answer.
func ask(ctx context.Context, verdict *client.Client, world *world) error {
	question := world.question()
	decision, err := verdict.Check(ctx, *question.Request)
	if err != nil {
		return err
	}
	return known(question, decision.Allowed, decision.Err)
}

// known is an error where an answer is not the known one.
func known(question scenario.Question, allowed bool, err error) error {
	if err != nil {
		return fmt.Errorf("%+v: the policy failed: %w", *question.Request, err)
	}
	if allowed != question.Allowed {
		return fmt.Errorf("wrong decision: %+v: allowed is %t", *question.Request, allowed)
	}
	return nil
}

// The flood lasts for a third of the time, in each of which so many callers ask
// without a pause.
const (
	floodLasts   = 4 * time.Second
	floodEvery   = 12 * time.Second
	floodCallers = 256
)

// flood asks for far more than can be answered, again and again.
func (w *work) flood(ctx context.Context, p *pause, world *world) {
	for sleep(ctx, floodEvery-floodLasts) && p.enter(ctx) == nil {
		verdict, err := client.New(w.server.grpc, client.WithTenant(world.tenant), client.WithoutCoalescing())
		if err == nil {
			var callers sync.WaitGroup
			over := time.Now().Add(floodLasts)
			for range floodCallers {
				callers.Go(func() {
					for ctx.Err() == nil && time.Now().Before(over) && !p.begun() {
						w.note(ctx, "flood", true, ask(ctx, verdict, world))
					}
				})
			}
			callers.Wait()
			err = verdict.Close()
		}
		if err != nil {
			w.note(ctx, "flood", true, err)
		}
		p.leave()
	}
}

func askBatch(ctx context.Context, w *work, world *world, _ int) error {
	verdict, err := client.New(w.server.grpc, client.WithTenant(world.tenant))
	if err != nil {
		return err
	}
	defer verdict.Close()
	questions := make([]scenario.Question, 200)
	requests := make([]authz.Request, len(questions))
	for i := range questions {
		questions[i] = world.question()
		requests[i] = *questions[i].Request
	}
	decisions, err := verdict.CheckBatch(ctx, requests, client.BatchOptions{})
	if err != nil {
		return err
	}
	if len(decisions) != len(questions) {
		return fmt.Errorf("%d decisions for %d requests", len(decisions), len(questions))
	}
	for i, decision := range decisions {
		if err := known(questions[i], decision.Allowed, decision.Err); err != nil {
			return err
		}
	}
	return nil
}

// search looks for what a subject may do an action on, of which a question tells
// that the resource is in it, or is not. It gives up after some pages.
func search(ctx context.Context, w *work, world *world, _ int) error {
	verdict, err := client.New(w.server.grpc, client.WithTenant(world.tenant))
	if err != nil {
		return err
	}
	defer verdict.Close()
	question := world.question()
	pages := 0
	for page, err := range verdict.SearchResources(ctx, *question.Request, client.SearchOptions{}) {
		if authz.KindOf(err) == authz.FailedPrecondition {
			return nil // another policy has become active since the first page
		}
		if err != nil {
			return fmt.Errorf("search as %+v: %w", *question.Request, err)
		}
		for _, id := range page.IDs {
			if id == question.Request.Resource.ID && !question.Allowed {
				return fmt.Errorf("the search as %+v found what is denied", *question.Request)
			}
		}
		if pages++; pages == 5 {
			return nil
		}
	}
	return nil
}

// askHTTP asks by AuthZEN, with a connection of its own each tenth time.
func askHTTP(ctx context.Context, w *work, world *world, n int) error {
	question := world.question()
	r := question.Request
	body, err := json.Marshal(map[string]any{
		"subject":  map[string]any{"type": r.Subject.Type, "id": r.Subject.ID, "properties": r.Subject.Properties},
		"action":   map[string]any{"name": r.Action.Name, "properties": r.Action.Properties},
		"resource": map[string]any{"type": r.Resource.Type, "id": r.Resource.ID, "properties": r.Resource.Properties},
		"context":  r.Context,
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"http://"+w.server.http+"/tenants/"+world.tenant+"/access/v1/evaluation", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Close = n%10 == 0
	response, err := web.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusTooManyRequests {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // as far as it comes
		return authz.Errorf(authz.Overloaded, "%s in %s: %s", response.Status, world.tenant, text)
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	var answer struct{ Decision bool }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	return known(question, answer.Decision, nil)
}
