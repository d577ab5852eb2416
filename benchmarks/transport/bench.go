package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/benchmarks/processtime"
)

// A bench is the servers and what was measured of them.
type bench struct {
	dir       string
	processes []*process
	callers   []*caller
	web       []*httpCaller
	clients   []*client.Client
	// key signs the tokens of the checks of Envoy's, which are by how the subject is
	// named.
	key     *ecdsa.PrivateKey
	proxied map[string]load
	// only is what the names of the groups contain that are measured.
	only   string
	groups []group
}

// A group is rows that stand beside the first of them, of one way in, one tenant
// and one load: the echo, or else what goes to the same server in another way.
type group struct {
	name string
	// decisions is how many decisions a call asks for.
	decisions int
	// most is the ratio to the first row that the others are held to; 0 is none.
	most float64
	rows []row
}

// A row is one server in a group, and what it is asked.
type row struct {
	name   string
	pid    int
	caller *caller
	web    *httpCaller
	drive  drive
	// cost is the CPU time of each round, in µs a decision.
	cost []float64
}

func newBench(dir, only string) (*bench, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, only: only, key: key, proxied: map[string]load{}}
	for _, by := range []string{byCertificate, byToken} {
		if b.proxied[by], err = newProxiedLoad(by, key); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() error {
	for _, c := range b.callers {
		c.close()
	}
	for _, c := range b.web {
		c.close()
	}
	var errs []error
	for _, c := range b.clients {
		errs = append(errs, c.Close())
	}
	for _, p := range b.processes {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}

// start starts the servers, has them answer everything once, and lays out the
// groups.
func (b *bench) start(ctx context.Context, binaries builds) error {
	ways := []string{"TCP", "Unix"}
	servers := map[string][]row{}
	for _, way := range ways {
		servers[way] = []row{{}} // the echo's place
		for _, binary := range binaries {
			dir := filepath.Join(b.dir, way+"-"+binary.name)
			if err := prepare(ctx, binary, dir, b.key); err != nil {
				return err
			}
			address := "127.0.0.1:0"
			if way == "Unix" {
				address = "unix://" + filepath.Join(dir, "grpc.sock")
			}
			p, err := startVerdict(binary, dir, address)
			if err != nil {
				return err
			}
			b.processes = append(b.processes, p)
			server, err := b.dial(binary.name, p, p.address)
			if err != nil {
				return err
			}
			servers[way] = append(servers[way], server)
			if err := b.ask(ctx, server); err != nil {
				return err
			}
		}
	}
	if err := writeCertificate(b.dir); err != nil {
		return err
	}
	p, err := startEcho(b.dir)
	if err != nil {
		return err
	}
	b.processes = append(b.processes, p)
	for way, address := range map[string]string{"TCP": p.address, "Unix": "unix://" + echoSocket(b.dir)} {
		if servers[way][0], err = b.dial("echo", p, address); err != nil {
			return err
		}
	}
	asking, err := b.callersGroups(ctx, binaries, p, servers["TCP"][0])
	if err != nil {
		return err
	}
	return b.layOut(ctx, ways, servers, asking)
}

// dial connects to a server.
func (b *bench) dial(name string, p *process, address string, options ...grpc.DialOption) (row, error) {
	c, err := dial(address, options...)
	if err != nil {
		return row{}, err
	}
	web := newHTTPCaller(p.http)
	b.callers, b.web = append(b.callers, c), append(b.web, web)
	return row{name: name, pid: p.command.Process.Pid, caller: c, web: web}, nil
}

// ask asks a server for every decision once, and keeps what the echo is to
// repeat.
func (b *bench) ask(ctx context.Context, server row) error {
	for _, tenant := range []string{customer, constant} {
		a, err := ask(ctx, server.caller, tenant)
		if err != nil {
			return fmt.Errorf("%s: %w", server.name, err)
		}
		if a.evaluation, err = askHTTP(server.web, tenant); err != nil {
			return fmt.Errorf("%s: %w", server.name, err)
		}
		if err := a.save(b.dir, tenant); err != nil {
			return err
		}
	}
	for _, l := range b.proxied {
		answer, err := askProxied(ctx, server.caller, l)
		if err != nil {
			return fmt.Errorf("%s: %w", server.name, err)
		}
		if err := saveProxied(b.dir, answer); err != nil {
			return err
		}
	}
	return nil
}

// add measures a group, if it is one of those that are.
func (b *bench) add(g group) {
	if strings.Contains(g.name, b.only) {
		b.groups = append(b.groups, g)
	}
}

func (b *bench) layOut(ctx context.Context, ways []string, servers map[string][]row, asking []group) error {
	for _, tenant := range []string{customer, constant} {
		var checks, batches []proto.Message
		for i := range 5 * customers {
			checks = append(checks, request(tenant, i))
		}
		for n := range customers / batchSize {
			batches = append(batches, batch(tenant, n))
		}
		check, err := newLoad("CheckAccess", verdictv1.AccessService_CheckAccess_FullMethodName, 1, checks)
		if err != nil {
			return err
		}
		hundred, err := newLoad(fmt.Sprint("batch of ", batchSize), verdictv1.AccessService_BatchCheckAccess_FullMethodName, batchSize, batches)
		if err != nil {
			return err
		}
		for _, way := range ways {
			for _, l := range []load{check, hundred} {
				g := group{name: fmt.Sprintf("%s, %s policy, %s", l.name, tenant, way), decisions: l.decisions, rows: slices.Clone(servers[way])}
				for i, r := range g.rows {
					g.rows[i].drive = r.caller.with(l)
				}
				if tenant == customer {
					g.most = targets[l.decisions]
				}
				b.add(g)
				if tenant == customer && way == ways[0] && l.decisions == 1 {
					for _, g := range asking {
						for i, r := range g.rows {
							g.rows[i].drive = r.caller.with(l)
						}
						b.add(g)
					}
				}
			}
			for _, server := range servers[way][1:] {
				g, err := b.gathering(tenant, way, server)
				if err != nil {
					return err
				}
				b.add(g)
			}
		}
		evaluation, err := newHTTPLoad(tenant)
		if err != nil {
			return err
		}
		g := group{name: fmt.Sprintf("%s, %s policy", evaluation.name, tenant), decisions: evaluation.decisions, rows: slices.Clone(servers["TCP"])}
		for i, r := range g.rows {
			g.rows[i].drive = r.web.with(evaluation)
		}
		if tenant == customer {
			g.most = httpTarget
		}
		b.add(g)
	}
	for _, g := range b.proxiedGroups(servers["TCP"]) {
		b.add(g)
	}
	const warmUp = time.Second
	for _, g := range b.groups {
		for _, r := range g.rows {
			if _, _, err := r.take(ctx, warmUp); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

// ask asks for every decision once, checks it, and returns the one whose size
// is next to the mean, for the echo to repeat.
func ask(ctx context.Context, c *caller, tenant string) (answer, error) {
	client := verdictv1.NewAccessServiceClient(c.conns[0])
	var responses []*verdictv1.CheckAccessResponse
	total := 0
	for i := range 5 * customers {
		response, err := client.CheckAccess(ctx, request(tenant, i))
		if err != nil {
			return answer{}, err
		}
		if want := tenant == constant || wantAllowed(i); response.GetError() != nil || response.GetAllowed() != want {
			return answer{}, fmt.Errorf("request %d of tenant %s is answered %v", i, tenant, response)
		}
		responses = append(responses, response)
		total += proto.Size(response)
	}
	mean := total / len(responses)
	off := func(r *verdictv1.CheckAccessResponse) int { return max(proto.Size(r)-mean, mean-proto.Size(r)) }
	check := slices.MinFunc(responses, func(a, b *verdictv1.CheckAccessResponse) int { return off(a) - off(b) })
	hundred, err := client.BatchCheckAccess(ctx, batch(tenant, 0))
	return answer{check: check, batch: hundred}, err
}

// round asks every server of every group for a turn.
func (b *bench) round(ctx context.Context, turn time.Duration) error {
	for i := range b.groups {
		g := &b.groups[i]
		for j := range g.rows {
			r := &g.rows[j]
			calls, took, err := r.take(ctx, turn)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			r.cost = append(r.cost, took.Seconds()*1e6/float64(calls*g.decisions))
		}
	}
	return nil
}

// take asks a server for a turn, and measures what that takes it. A turn in which it
// refuses a call, as it does when the machine keeps it from its processors for long, says
// nothing of what decisions cost, and is taken again a few times.
func (r *row) take(ctx context.Context, turn time.Duration) (calls int, took time.Duration, err error) {
	const tries, rest = 10, time.Second
	for n := 1; ; n++ {
		before, err := processtime.Of(r.pid)
		if err != nil {
			return 0, 0, err
		}
		calls, err := r.drive(ctx, turn)
		if err != nil && isRefusal(err) && n < tries {
			time.Sleep(rest)
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		after, err := processtime.Of(r.pid)
		return calls, after - before, err
	}
}

// errRefused is the answer over HTTP of a server that has more to do than it can.
var errRefused = errors.New("answered that there is too much to decide")

// isRefusal reports whether a server, or Go's client for it, has refused a call since
// there was too much to do.
func isRefusal(err error) bool {
	return errors.Is(err, errRefused) || authz.KindOf(err) == authz.Overloaded || status.Code(err) == codes.ResourceExhausted
}

// targets are the ratios to the echo that a decision of the customer policy is
// held to, by how many a call asks for.
var targets = map[int]float64{1: 1.0, batchSize: 1.3}

// httpTarget is that of a decision over AuthZEN.
const httpTarget = 1.3

// proxiedTarget is that of one of Envoy's checks, by a certificate.
const proxiedTarget = 1.5

// print writes the table: medians over the rounds. The ratio to the first row is
// taken within each round, and comes with its quartiles and, where there is one,
// its target.
func (b *bench) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tµs CPU a decision\t× first\tquartiles\t\ttarget\t\t")
	for _, g := range b.groups {
		fmt.Fprintf(table, "%s\t\t\t\t\t\t\t\n", g.name)
		first := g.rows[0].cost
		for k, r := range g.rows {
			ratios := make([]float64, len(r.cost))
			for i, cost := range r.cost {
				ratios[i] = cost / first[i]
			}
			ratio, target, verdict := quantile(ratios, 0.5), "", ""
			if k > 0 && g.most > 0 {
				target, verdict = fmt.Sprintf("≤ %.4g", g.most), "missed"
				if ratio <= g.most {
					verdict = "met"
				}
			}
			fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t%s\t\n", r.name, quantile(r.cost, 0.5), ratio, quantile(ratios, 0.25), quantile(ratios, 0.75), target, verdict)
		}
	}
	return table.Flush()
}

// quantile is the value that a part of the values does not pass.
func quantile(values []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(part*float64(len(sorted)-1)+0.5)]
}
