package rest

import (
	"net/http"

	"entrepot/app/mail"
	"entrepot/app/repository"
	"entrepot/app/scripts"
)

// Tags, see describe_security.go.
const (
	tagBlobStores = "Blob store"
	tagEmail      = "Email"
	tagScript     = "Script"
	tagStatus     = "Status"
	tagReadOnly   = "Read-only"
	tagLifecycle  = "Lifecycle"
	tagNode       = "System: Nodes"
	tagAgreement  = "Community Edition Eula"
)

func (a *API) storeDescriptions() map[string]description {
	quota := nullableRef(choices(taken[quotaBody]("BlobStoreApiSoftQuota"), "type", repository.QuotaRemaining, repository.QuotaUsed))
	store := literal("GenericBlobStoreApiResponse", object{
		{"softQuota", quota}, {"name", ""}, {"type", ""}, {"unavailable", false}, {"blobCount", int64(0)}, {"totalSizeInBytes", int64(0)},
		{"availableSpaceInBytes", int64(0)},
	})
	file := func(name string, more ...member) model {
		return literal(name, append(object{{"softQuota", quota}, {"path", ""}}, more...))
	}
	group := func(name string, more ...member) model {
		m := literal(name, append(object{{"softQuota", quota}, {"members", []string{}}, {"fillPolicy", ""}}, more...))
		return choices(m, "fillPolicy", string(repository.FillRoundRobin), string(repository.FillFirst))
	}
	groupModel := group("GroupBlobStoreApiModel", member{"name", ""})
	bucket := literal("S3BlobStoreApiModel", object{
		{"name", ""}, {"softQuota", quota}, {"bucketConfiguration", taken[bucketConfigBody]("S3BlobStoreApiBucketConfiguration")}, {"type", ""},
	})
	status := literal("BlobStoreQuotaResultXO", object{{"isViolation", false}, {"message", ""}, {"blobStoreName", ""}})
	const path = "v1/blobstores"
	return map[string]description{
		"GET " + path:                          {tag: tagBlobStores, summary: "List blob stores", reply: arrayOf(store)},
		"DELETE " + path + "/{name}":           {tag: tagBlobStores, summary: "Delete a blob store that nothing uses"},
		"GET " + path + "/{name}/quota-status": {tag: tagBlobStores, summary: "Tell whether a blob store breaks its quota", reply: status},
		"POST " + path + "/file":               {tag: tagBlobStores, summary: "Create a blob store in a folder", body: file("FileBlobStoreApiCreateRequest", member{"name", ""})},
		"GET " + path + "/file/{name}":         {tag: tagBlobStores, summary: "Read a blob store in a folder", reply: file("FileBlobStoreApiModel")},
		"PUT " + path + "/file/{name}":         {tag: tagBlobStores, summary: "Change a blob store in a folder", body: file("FileBlobStoreApiUpdateRequest")},

		"POST " + path + "/group":       {tag: tagBlobStores, summary: "Create a group of blob stores", body: group("GroupBlobStoreApiCreateRequest", member{"name", ""})},
		"GET " + path + "/group/{name}": {tag: tagBlobStores, summary: "Read a group of blob stores", reply: groupModel},
		"PUT " + path + "/group/{name}": {tag: tagBlobStores, summary: "Change a group of blob stores", body: group("GroupBlobStoreApiUpdateRequest")},
		"POST " + path + "/group/convert/{name}/{newNameForOriginal}": {
			tag: tagBlobStores, summary: "Make a blob store the member of a group that takes its name", reply: groupModel,
		},
		"POST " + path + "/s3":               {tag: tagBlobStores, summary: "Create a blob store in a bucket", body: bucket},
		"GET " + path + "/s3/{name}":         {tag: tagBlobStores, summary: "Read a blob store in a bucket", reply: bucket},
		"PUT " + path + "/s3/{name}":         {tag: tagBlobStores, summary: "Change a blob store in a bucket", body: bucket},
		"POST v1/blobstores/test-connection": {tag: tagBlobStores, summary: "Test whether a bucket can be reached", refuses: []int{http.StatusBadRequest}},
	}
}

func (a *API) systemDescriptions() map[string]description {
	scriptModel := given("ScriptXO", func(s scripts.Script) object { return script(s) })
	mailModel := given("ApiEmailConfiguration", func(m mail.Settings) object { return email(m, true) })
	mailModel = refine(mailModel, func(s *schema) {
		for _, name := range []string{"password", "username", "subjectPrefix"} {
			s.Properties[name] = &schema{Type: "string", Nullable: true}
		}
	})
	sent := nullable(literal("ApiEmailValidation", object{{"success", false}, {"reason", ""}}), "reason")
	check := literal("Result", object{
		{"healthy", false}, {"message", ""}, {"error", nil}, {"details", mapOf(anything)}, {"time", int64(0)}, {"duration", int64(0)}, {"timestamp", ""},
	})
	check = nullable(check, "message", "error", "details")
	agreement := taken[agreementBody]("EulaStatus")
	failed := []int{http.StatusBadRequest}
	return map[string]description{
		"GET v1/status":          {tag: tagStatus, summary: "Tell whether reads can be served", refuses: []int{http.StatusServiceUnavailable}},
		"GET v1/status/writable": {tag: tagStatus, summary: "Tell whether writes can be taken", refuses: []int{http.StatusServiceUnavailable}},
		"GET v1/status/check":    {tag: tagStatus, summary: "Give the results of the server's own checks", reply: mapOf(check)},

		"GET v1/read-only": {tag: tagReadOnly, summary: "Read whether changes are refused", reply: literal("ReadOnlyState", object{
			{"summaryReason", ""}, {"systemInitiated", false}, {"frozen", false},
		}), refuses: []int{http.StatusForbidden}},
		"POST v1/read-only/freeze":        {tag: tagReadOnly, summary: "Refuse changes", refuses: []int{http.StatusNotFound}},
		"POST v1/read-only/release":       {tag: tagReadOnly, summary: "Take changes again", refuses: []int{http.StatusNotFound}},
		"POST v1/read-only/force-release": {tag: tagReadOnly, summary: "Take changes again, whoever wanted them refused", refuses: []int{http.StatusNotFound}},

		"GET v1/email":         {tag: tagEmail, summary: "Read how mail is sent", reply: mailModel},
		"PUT v1/email":         {tag: tagEmail, summary: "Set how mail is sent", body: mailModel},
		"DELETE v1/email":      {tag: tagEmail, summary: "Send no mail"},
		"POST v1/email/verify": {tag: tagEmail, summary: "Send a mail to an address", body: textual, reply: sent},

		"GET v1/script":             {tag: tagScript, summary: "List scripts", reply: arrayOf(scriptModel)},
		"POST v1/script":            {tag: tagScript, summary: "Store a script", body: scriptModel, refuses: []int{http.StatusGone}},
		"GET v1/script/{name}":      {tag: tagScript, summary: "Read a script", reply: scriptModel},
		"PUT v1/script/{name}":      {tag: tagScript, summary: "Change a script", body: scriptModel, refuses: []int{http.StatusGone}},
		"DELETE v1/script/{name}":   {tag: tagScript, summary: "Delete a script"},
		"POST v1/script/{name}/run": {tag: tagScript, summary: "Run a script, which this server refuses", body: textual, reply: literal("ScriptResultXO", object{{"name", ""}, {"result", ""}}), refuses: []int{http.StatusGone}},

		"GET v1/system/node":      {tag: tagNode, summary: "Read the server's id", reply: literal("NodeInformation", object{{"nodeId", ""}})},
		"DELETE v1/system/node":   {tag: tagNode, summary: "Take a new id at the next start"},
		"GET v1/system/eula":      {tag: tagAgreement, summary: "Read the agreement", reply: agreement},
		"POST v1/system/eula":     {tag: tagAgreement, summary: "Accept the agreement", body: agreement},
		"GET v1/lifecycle/phase":  {tag: tagLifecycle, summary: "Read the phase that the server is in", reply: textual},
		"PUT v1/lifecycle/phase":  {tag: tagLifecycle, summary: "Move to a phase", body: textual, refuses: failed},
		"PUT v1/lifecycle/bounce": {tag: tagLifecycle, summary: "Go back to a phase and forward again", body: textual, refuses: failed},
	}
}
