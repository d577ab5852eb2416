package authzen

import (
	"context"
	"net/http"

	"github.com/verdictpdp/verdict/api/authz"
)

// wellKnown is what stands between the host of a decision point's identifier and
// its path, to make the URL of its metadata (section 9.2).
const wellKnown = "/.well-known/authzen-configuration"

// metadataCaching is for how long metadata may be kept (section 11.9). It changes
// when the service is set up anew.
const metadataCaching = "public, max-age=300"

// The default paths of the endpoints (section 10.1).
const (
	evaluationPath     = "/access/v1/evaluation"
	evaluationsPath    = "/access/v1/evaluations"
	searchSubjectPath  = "/access/v1/search/subject"
	searchResourcePath = "/access/v1/search/resource"
	searchActionPath   = "/access/v1/search/action"
)

// A configuration is the metadata of a decision point (section 9.1). Endpoints
// that are not served are left out.
type configuration struct {
	PolicyDecisionPoint string `json:"policy_decision_point"`
	AccessEvaluation    string `json:"access_evaluation_endpoint"`
	AccessEvaluations   string `json:"access_evaluations_endpoint"`
	SearchSubject       string `json:"search_subject_endpoint,omitempty"`
	SearchResource      string `json:"search_resource_endpoint,omitempty"`
	SearchAction        string `json:"search_action_endpoint,omitempty"`
}

// metadata answers with the metadata of the decision point of a tenant, the one at
// the root where none is named.
func (s *server) metadata(_ context.Context, r *http.Request) (any, error) {
	if !s.publicURL.known() {
		return nil, authz.Errorf(authz.NotFound,
			"there is no metadata, since the server was not told under which URL it is reached: set http.public_url in its configuration, or start it with --public-url https://…")
	}
	tenant := r.PathValue("tenant")
	if tenant != "" && !s.hasTenant(tenant) {
		return nil, authz.Errorf(authz.NotFound, "there is no tenant %s", authz.Quote(tenant))
	}
	base := s.publicURL.of(tenant)
	body := configuration{
		PolicyDecisionPoint: base,
		AccessEvaluation:    base + evaluationPath,
		AccessEvaluations:   base + evaluationsPath,
	}
	if s.searcher != nil {
		body.SearchSubject = base + searchSubjectPath
		body.SearchResource = base + searchResourcePath
		body.SearchAction = base + searchActionPath
	}
	return reply{status: http.StatusOK, cache: metadataCaching, body: body}, nil
}
