package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// Routes end as the service model's do; the handler takes them without their
// last slash too. An ARN's own slash may come escaped, as SDKs send it, or not.
const (
	gatewaysPath = "/gateways/{$}"
	gatewayPath  = "/gateways/{gateway}/{$}"
	targetsPath  = "/gateways/{gateway}/targets/{$}"
	targetPath   = "/gateways/{gateway}/targets/{target}/{$}"
	policyPath   = "/resourcepolicy/{arn...}"
	tagsPath     = "/tags/{arn...}"
)

// operations are those of the service model that the stand-in has, with the
// status codes of their success.
func (h *Handler) operations() []operation {
	return []operation{
		{"CreateGateway", "POST " + gatewaysPath, http.StatusAccepted, everything, h.createGateway},
		{"ListGateways", "GET " + gatewaysPath, http.StatusOK, everything, h.listGateways},
		{"GetGateway", "GET " + gatewayPath, http.StatusOK, h.gatewayInPath, h.getGateway},
		{"UpdateGateway", "PUT " + gatewayPath, http.StatusAccepted, h.gatewayInPath, h.updateGateway},
		{"DeleteGateway", "DELETE " + gatewayPath, http.StatusAccepted, h.gatewayInPath, h.deleteGateway},

		{"CreateGatewayTarget", "POST " + targetsPath, http.StatusAccepted, h.gatewayInPath, h.createTarget},
		{"ListGatewayTargets", "GET " + targetsPath, http.StatusOK, h.gatewayInPath, h.listTargets},
		{"GetGatewayTarget", "GET " + targetPath, http.StatusOK, h.gatewayInPath, h.getTarget},
		{"UpdateGatewayTarget", "PUT " + targetPath, http.StatusAccepted, h.gatewayInPath, h.updateTarget},
		{"DeleteGatewayTarget", "DELETE " + targetPath, http.StatusAccepted, h.gatewayInPath, h.deleteTarget},

		{"PutResourcePolicy", "PUT " + policyPath, http.StatusCreated, arnInPath, h.putPolicy},
		{"GetResourcePolicy", "GET " + policyPath, http.StatusOK, arnInPath, h.getPolicy},
		{"DeleteResourcePolicy", "DELETE " + policyPath, http.StatusNoContent, arnInPath, h.deletePolicy},

		{"TagResource", "POST " + tagsPath, http.StatusNoContent, arnInPath, h.tag},
		{"UntagResource", "DELETE " + tagsPath, http.StatusNoContent, arnInPath, h.untag},
		{"ListTagsForResource", "GET " + tagsPath, http.StatusOK, arnInPath, h.listTags},
	}
}

func (h *Handler) createGateway(r *request) (any, error) {
	in, err := body[model.CreateGatewayInput](r)
	if err != nil {
		return nil, err
	}
	return h.model.CreateGateway(r.by(), in)
}

func (h *Handler) getGateway(r *request) (any, error) {
	return h.model.GetGateway(r.by(), r.PathValue("gateway"))
}

func (h *Handler) listGateways(r *request) (any, error) {
	page, err := pageOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	items, next, err := h.model.ListGateways(r.by(), page)
	return list[model.GatewaySummary]{items, next}, err
}

func (h *Handler) updateGateway(r *request) (any, error) {
	in, err := body[model.GatewaySettings](r)
	if err != nil {
		return nil, err
	}
	return h.model.UpdateGateway(r.by(), r.PathValue("gateway"), in)
}

func (h *Handler) deleteGateway(r *request) (any, error) {
	return h.model.DeleteGateway(r.by(), r.PathValue("gateway"))
}

func (h *Handler) createTarget(r *request) (any, error) {
	in, err := body[model.CreateTargetInput](r)
	if err != nil {
		return nil, err
	}
	return h.model.CreateGatewayTarget(r.by(), r.PathValue("gateway"), in)
}

func (h *Handler) getTarget(r *request) (any, error) {
	return h.model.GetGatewayTarget(r.by(), r.PathValue("gateway"), r.PathValue("target"))
}

func (h *Handler) listTargets(r *request) (any, error) {
	page, err := pageOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	items, next, err := h.model.ListGatewayTargets(r.by(), r.PathValue("gateway"), page)
	return list[model.TargetSummary]{items, next}, err
}

func (h *Handler) updateTarget(r *request) (any, error) {
	in, err := body[model.TargetSettings](r)
	if err != nil {
		return nil, err
	}
	return h.model.UpdateGatewayTarget(r.by(), r.PathValue("gateway"), r.PathValue("target"), in)
}

func (h *Handler) deleteTarget(r *request) (any, error) {
	return h.model.DeleteGatewayTarget(r.by(), r.PathValue("gateway"), r.PathValue("target"))
}

// policyBody is the body of PutResourcePolicy's request and answer, and of
// GetResourcePolicy's answer, where the policy may be missing.
type policyBody struct {
	Policy string `json:"policy,omitempty"`
}

func (h *Handler) putPolicy(r *request) (any, error) {
	in, err := body[policyBody](r)
	if err != nil {
		return nil, err
	}
	stored, err := h.model.PutResourcePolicy(r.by(), r.PathValue("arn"), in.Policy)
	return policyBody{stored}, err
}

func (h *Handler) getPolicy(r *request) (any, error) {
	stored, err := h.model.GetResourcePolicy(r.by(), r.PathValue("arn"))
	return policyBody{stored}, err
}

func (h *Handler) deletePolicy(r *request) (any, error) {
	return nil, h.model.DeleteResourcePolicy(r.by(), r.PathValue("arn"))
}

type tagsBody struct {
	Tags map[string]string `json:"tags"`
}

func (h *Handler) tag(r *request) (any, error) {
	in, err := body[tagsBody](r)
	if err != nil {
		return nil, err
	}
	return nil, h.model.TagResource(r.by(), r.PathValue("arn"), in.Tags)
}

func (h *Handler) untag(r *request) (any, error) {
	return nil, h.model.UntagResource(r.by(), r.PathValue("arn"), r.URL.Query()["tagKeys"])
}

func (h *Handler) listTags(r *request) (any, error) {
	tags, err := h.model.ListTagsForResource(r.by(), r.PathValue("arn"))
	return tagsBody{tags}, err
}

// list is the answer of ListGateways and ListGatewayTargets.
type list[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

func pageOf(query url.Values) (model.Page, error) {
	page := model.Page{Token: query.Get("nextToken")}
	if !query.Has("maxResults") {
		return page, nil
	}
	size, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil {
		return page, unreadable(fmt.Errorf("maxResults: %w", err))
	}
	page.MaxResults = &size
	return page, nil
}

// writeJSON answers a success; a nil answer has no body.
func writeJSON(w http.ResponseWriter, id string, status int, answer any) {
	if answer == nil {
		w.Header().Set(requestIDHeader, id)
		w.WriteHeader(status)
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		writeError(w, id, asFailure(fmt.Errorf("encoding the answer: %w", err)))
		return
	}
	write(w, id, status, "application/json", text)
}
