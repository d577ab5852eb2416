package client

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A Dialect is what a filter of rows is written in.
type Dialect string

// The dialects.
const (
	// UCAST is the JSON of OPA's compile API.
	UCAST Dialect = "ucast"
	// PostgreSQL is SQL for PostgreSQL 11 and later.
	PostgreSQL Dialect = "postgresql"
	// MySQL is SQL for MySQL 8.0.17 and later.
	MySQL Dialect = "mysql"
	// SQLite is SQL for SQLite 3.
	SQLite Dialect = "sqlite"
)

var dialects = map[Dialect]verdictv1.PlanDialect{
	UCAST:      verdictv1.PlanDialect_PLAN_DIALECT_UCAST,
	PostgreSQL: verdictv1.PlanDialect_PLAN_DIALECT_POSTGRESQL,
	MySQL:      verdictv1.PlanDialect_PLAN_DIALECT_MYSQL,
	SQLite:     verdictv1.PlanDialect_PLAN_DIALECT_SQLITE,
}

// An Effect is which rows a plan takes in. The zero value is none of them.
type Effect uint8

const (
	// Never takes in no row.
	Never Effect = iota
	// Always takes in all rows.
	Always
	// Conditional takes in those that fulfil the filter.
	Conditional
)

// String is the effect's name, such as "conditional".
func (e Effect) String() string {
	switch e {
	case Always:
		return "always"
	case Conditional:
		return "conditional"
	default:
		return "never"
	}
}

// PlanOptions say what a plan is written in. Dialect is required.
type PlanOptions struct {
	Dialect Dialect
	// ParametersBefore is how many parameters of its own the statement has before the
	// filter's, from 0 to 65,535. It moves the numbers of PostgreSQL's placeholders:
	// with 2, the first is $3.
	ParametersBefore int
	// Consistency says which directory revision is read.
	Consistency authz.Consistency
}

// A Plan is which rows of the caller's own database a subject may do an action on:
// those, and no others, that Check allows when the directory holds what they hold.
type Plan struct {
	Effect Effect
	// SQL is the filter of a Conditional plan in one of the dialects of SQL, and nil
	// otherwise.
	SQL *SQL
	// UCAST is the filter of a Conditional plan in UCAST, and nil otherwise. Fields are
	// named table.column.
	UCAST authz.Object
	// Condition is the condition for people, in terms of the directory.
	Condition string
	// Notes say what the filter leaves out, such as obligations: for people.
	Notes []string
	// PolicyRevision and DirectoryRevision are what the plan rests on.
	PolicyRevision    string
	DirectoryRevision uint64
}

// An SQL is a condition for a WHERE clause.
type SQL struct {
	// Where is true or false for every row, never NULL, with a placeholder for every
	// value: $1 and so on for PostgreSQL, ? for the others. Columns are named with
	// their table.
	Where string
	// Parameters are the values in the order of the placeholders, as database/sql
	// takes them: string, int64 or float64.
	Parameters []any
	// Table is the table of the rows, as the bundle's data names it.
	Table string
}

// PlanResources writes which resources of a type the request's subject may do its
// action on as a filter of rows. The id of the resource is ignored.
//
// Errors are as CheckWith's; of kind FailedPrecondition also where the decision cannot
// be written as a filter, with the places in the policy and what to change.
func (c *Client) PlanResources(ctx context.Context, request authz.Request, options PlanOptions) (Plan, error) {
	dialect, known := dialects[options.Dialect]
	if !known {
		return Plan{}, authz.InvalidField("dialect", "%s is none: expected ucast, postgresql, mysql or sqlite", authz.Quote(string(options.Dialect)))
	}
	const mostBefore = 65_535
	if options.ParametersBefore < 0 || options.ParametersBefore > mostBefore {
		return Plan{}, authz.InvalidField("parameters_before", "%d: expected 0 to %d", options.ParametersBefore, mostBefore)
	}
	parts, err := c.messageOf(&request, CheckOptions{Consistency: options.Consistency})
	if err != nil {
		return Plan{}, err
	}
	return inTime(ctx, c, func(ctx context.Context) (Plan, error) {
		response, err := c.access.PlanResources(ctx, &verdictv1.PlanResourcesRequest{
			Tenant: parts.GetTenant(), Subject: parts.GetSubject(), Action: parts.GetAction(), Resource: parts.GetResource(),
			Context: parts.GetContext(), Consistency: parts.GetConsistency(), Dialect: dialect, ParametersBefore: int32(options.ParametersBefore),
		})
		if err != nil {
			return Plan{}, err
		}
		return planIn(response, options.Dialect)
	})
}

// planIn is the plan in an answer. One that is conditional comes with its filter, in
// the dialect that was asked for: without it, a caller would take in all rows.
func planIn(response *verdictv1.PlanResourcesResponse, dialect Dialect) (Plan, error) {
	plan := Plan{
		Condition: response.GetCondition(), Notes: response.GetNotes(),
		PolicyRevision: response.GetPolicyRevision(), DirectoryRevision: response.GetDirectoryRevision(),
	}
	switch response.GetEffect() {
	case verdictv1.PlanEffect_PLAN_EFFECT_ALWAYS:
		plan.Effect = Always
	case verdictv1.PlanEffect_PLAN_EFFECT_CONDITIONAL:
		plan.Effect = Conditional
	}
	if plan.Effect != Conditional {
		return plan, nil
	}
	if dialect == UCAST {
		if plan.UCAST = objectIn(response.GetUcast().GetStructValue()); len(plan.UCAST) > 0 {
			return plan, nil
		}
	} else if filter := response.GetSql(); filter.GetWhere() != "" {
		plan.SQL = &SQL{Where: filter.GetWhere(), Table: filter.GetTable()}
		for i, parameter := range filter.GetParameters() {
			value := parameterIn(parameter)
			if value == nil {
				return Plan{}, status.Errorf(codes.Internal, "parameter %d of the filter has no value", i+1)
			}
			plan.SQL.Parameters = append(plan.SQL.Parameters, value)
		}
		return plan, nil
	}
	return Plan{}, status.Errorf(codes.Internal, "a conditional plan came without a filter in %s", dialect)
}

func parameterIn(parameter *verdictv1.SqlParameter) any {
	switch value := parameter.GetValue().(type) {
	case *verdictv1.SqlParameter_Text:
		return value.Text
	case *verdictv1.SqlParameter_Integer:
		return value.Integer
	case *verdictv1.SqlParameter_Number:
		return value.Number
	default:
		return nil
	}
}
