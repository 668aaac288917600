package rest

import (
	"net/http"

	"entrepot/app/cleanup"
)

// Tags, see describe_security.go.
const (
	tagTasks   = "Tasks"
	tagCleanup = "Cleanup policies"
)

func (a *API) taskDescriptions() map[string]description {
	times := func(s *schema) {
		for _, name := range []string{"nextRun", "lastRun"} {
			s.Properties[name] = &schema{Type: "string", Format: "date-time", Nullable: true}
		}
		for _, name := range []string{"message", "lastRunResult"} {
			s.Properties[name] = &schema{Type: "string", Nullable: true}
		}
	}
	listed := object{{"id", ""}, {"name", ""}, {"type", ""}, {"message", ""}, {"currentState", ""}, {"lastRunResult", ""}, {"nextRun", ""}, {"lastRun", ""}}
	frequency := nullable(literal("TaskFrequencyXO", object{
		{"schedule", ""}, {"startDate", int64(0)}, {"timeZoneOffset", ""}, {"recurringDays", []int{}}, {"cronExpression", ""},
	}), "startDate", "timeZoneOffset", "cronExpression")
	definition := object{
		{"enabled", false}, {"alertEmail", ""}, {"notificationCondition", ""}, {"frequency", frequency}, {"properties", mapOf(textual)},
	}
	optional := func(s *schema) { s.Properties["alertEmail"].Nullable = true }
	task := refine(literal("TaskXO", listed), times)
	made := refine(refine(literal("TaskDetailXO", append(listed[:len(listed):len(listed)], definition...)), times), optional)
	template := refine(literal("TaskTemplateXO", append(object{{"type", ""}, {"name", ""}}, definition...)), optional)
	body := choices(taken[taskBody]("TaskRequest"), "notificationCondition", "FAILURE", "SUCCESS_FAILURE")
	const path = "v1/tasks"
	return map[string]description{
		"GET " + path: {
			tag: tagTasks, summary: "List tasks", reply: pageOf("PageTaskXO", task),
			query: []parameter{{Name: "type", In: "query", About: "Only tasks of this type", Type: "string"}},
		},
		"POST " + path:                      {tag: tagTasks, summary: "Create a task", body: body, reply: made},
		"GET " + path + "/templates":        {tag: tagTasks, summary: "List the types of tasks with their defaults", reply: arrayOf(template)},
		"GET " + path + "/templates/{type}": {tag: tagTasks, summary: "Read a type of tasks with its defaults", reply: template},
		"GET " + path + "/{id}":             {tag: tagTasks, summary: "Read a task", reply: task},
		"PUT " + path + "/{id}":             {tag: tagTasks, summary: "Change a task", body: body},
		"DELETE " + path + "/{id}":          {tag: tagTasks, summary: "Delete a task"},
		"POST " + path + "/{id}/run":        {tag: tagTasks, summary: "Run a task now", refuses: []int{http.StatusMethodNotAllowed}},
		"POST " + path + "/{id}/stop":       {tag: tagTasks, summary: "Stop the run of a task", refuses: []int{http.StatusConflict}},
	}
}

func (a *API) cleanupDescriptions() map[string]description {
	policy := given("CleanupPolicyXO", func(p cleanup.Policy) object { return a.policyObject(p, false) })
	policy = refine(policy, func(s *schema) {
		for _, name := range []string{"notes", "sortBy", "criteriaReleaseType", "criteriaAssetRegex"} {
			s.Properties[name] = &schema{Type: "string", Nullable: true}
		}
		for _, name := range []string{"criteriaLastBlobUpdated", "criteriaLastDownloaded", "retain"} {
			s.Properties[name] = &schema{Type: "integer", Format: "int64", Nullable: true}
		}
	})
	body := taken[policyBody]("CleanupPolicyRequest")
	const path = "v1/cleanup-policies"
	return map[string]description{
		"GET " + path:                {tag: tagCleanup, summary: "List cleanup policies", reply: arrayOf(policy)},
		"POST " + path:               {tag: tagCleanup, summary: "Create a cleanup policy", body: body, reply: policy, refuses: []int{http.StatusConflict}},
		"GET " + path + "/{name}":    {tag: tagCleanup, summary: "Read a cleanup policy", reply: policy},
		"PUT " + path + "/{name}":    {tag: tagCleanup, summary: "Change a cleanup policy", body: body},
		"DELETE " + path + "/{name}": {tag: tagCleanup, summary: "Delete a cleanup policy and take it away from repositories"},
	}
}
