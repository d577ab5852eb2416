package main

import (
	"context"
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
)

// mostGathered is what a check that is gathered with others may cost of one that
// goes alone.
const mostGathered = 0.5

// gathering is the group of Go's client on one server: each check alone, and
// beside it the same checks gathered.
func (b *bench) gathering(tenant, way string, server row) (group, error) {
	requests := make([]authz.Request, 5*customers)
	for i := range requests {
		m := request(tenant, i)
		requests[i] = authz.Request{
			Tenant:   m.GetTenant(),
			Subject:  authz.Subject{Type: m.GetSubject().GetType(), ID: m.GetSubject().GetId()},
			Action:   authz.Action{Name: m.GetAction().GetName()},
			Resource: authz.Resource{Type: m.GetResource().GetType(), ID: m.GetResource().GetId()},
			Context:  m.GetContext().AsMap(),
		}
	}
	g := group{name: fmt.Sprintf("Go client, %s policy, %s", tenant, way), decisions: 1}
	if tenant == customer {
		g.most = mostGathered
	}
	for _, r := range []struct {
		name    string
		options []client.Option
	}{
		{server.name + ", each alone", []client.Option{client.WithoutCoalescing()}},
		{server.name + ", gathered", nil},
	} {
		c, err := client.New(server.caller.address, r.options...)
		if err != nil {
			return group{}, err
		}
		b.clients = append(b.clients, c)
		g.rows = append(g.rows, row{name: r.name, pid: server.pid, caller: server.caller, drive: driveOf(func(ctx context.Context, _, n int) error {
			decision, err := c.Check(ctx, requests[n%len(requests)])
			if err == nil {
				err = decision.Err
			}
			if want := tenant == constant || wantAllowed(n); err == nil && decision.Allowed != want {
				err = fmt.Errorf("request %d of tenant %s is answered %+v", n, tenant, decision)
			}
			return err
		})})
	}
	return g, nil
}
