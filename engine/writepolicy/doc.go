// Package writepolicy asks a tenant's own policy whether a write of its directory may
// be made: whether the person for whom it is made may change that (delegation), and
// whether it leads to a state that must not be (invariants, such as separation of
// duties).
//
// One mechanism does for both, two packages of the tenant's bundle that are asked like
// the one that decides. What a person may give, and what excludes each other, is then
// said in the language of the rest of the policy, tested with it, and activated with
// it; and the engine knows neither roles nor duties.
//
// # Delegation
//
// A write on behalf of a person is made where data.verdict.delegation.allow is true,
// and is otherwise refused with kind PermissionDenied and the texts of
// data.verdict.delegation.reasons. A bundle without that package refuses them all. The
// document input is
//
//	{"tenant": "workforce", "person": "user:dan", "reason": "joins the team",
//	 "caller": {"subject": "service:portal", "method": "mtls", "address": "10.0.0.7"},
//	 "changes": [
//	   {"grant": "g1", "after": {"id": "g1", "subject": "user:nils", …}},
//	   {"entity": "user:nils", "before": {"ref": "user:nils", …}, "after": {…}}]}
//
// where before is missing of what was not there, and after of what is gone. A grant and
// an entity have the members that they have in data.directory, but for those that are
// derived; a deleted entity's grants are changes of their own. data.directory is the
// directory without the write.
//
// # Invariants
//
// data.verdict.invariants.violations is a set of texts that say what must not be. It is
// asked with {"tenant": …, "subjects": […]}, refs of entities that may stand otherwise
// after the write than before: those written, those whose grants are, all that are below
// either, and the holders of the roles among them. A text that it yields on the
// directory with the write, and did not on the one without, refuses the write with kind
// FailedPrecondition: so what is amiss already keeps nobody from writing, not even the
// half of a remedy.
//
// data.verdict.invariants.roles, a set of refs, says by which roles alone grants
// matter. Where it is there, a grant of a role that is none of them, nor above one,
// counts for nothing, and one to all of an organization costs no look at everybody in
// it.
//
// # What it costs, and what it holds up
//
// A tenant whose bundle has neither package pays for a look-up a write (see
// BenchmarkWrite). Otherwise everything that the policy reads counts as what the write
// rests on: no other write changes it before the write is made. The policy is asked
// beforehand, while others write; if one has changed the tenant since, it is asked again
// within the write, and the others wait for that. So its time is bounded.
//
// The package must not know how the directory is kept or who may call. Start with
// Policy.Check.
package writepolicy
