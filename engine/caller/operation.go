package caller

// An Operation is what a caller wants to do, as the policy for callers knows it. Those
// that are not of one tenant but of the whole server are asked about with the empty
// name of a tenant.
type Operation string

// The operations.
const (
	// Check is a decision, alone, in a batch or on a stream, or as a proxy asks for it.
	Check Operation = "check"
	// Search is a search for subjects, resources or actions.
	Search Operation = "search"
	// Plan is a decision as a filter of rows.
	Plan Operation = "plan"
	// Describe is to be told what the server offers, as gRPC's reflection does.
	Describe Operation = "describe"
	// Read is to read entities and grants.
	Read Operation = "read"
	// Write is to write a batch of changes.
	Write Operation = "write"
	// Import and Export are of whole directories.
	Import Operation = "import"
	Export Operation = "export"
	// Watch is to be told of changes as they come.
	Watch Operation = "watch"
	// Metrics is to be told what the server counts.
	Metrics Operation = "metrics"
	// Status is to be told how the server stands: its policies, their errors, what
	// keeps it from being ready.
	Status Operation = "status"
	// Audit is to be told who has changed what.
	Audit Operation = "audit"
	// Administer is to look after the server and its store.
	Administer Operation = "administer"
)

// Operations are all of them, in the order of what they take.
func Operations() []Operation {
	return []Operation{Check, Search, Plan, Describe, Metrics, Read, Write, Import, Export, Watch, Status, Audit, Administer}
}
