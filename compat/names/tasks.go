package names

// taskType is a kind of work under both names, with the names of its properties.
type taskType struct {
	here, there string
	properties  map[string]string // here to there
}

var taskTypes = []taskType{
	{"cleanup", "repository.cleanup", nil},
	{"collect-blobs", "blobstore.compact", map[string]string{"blobStore": "blobstoreName", "olderThanDays": "blobsOlderThan"}},
	{"rebuild-search", "repository.rebuild-index", map[string]string{"repository": "repositoryName"}},
	{"check-browse", "create.browse.nodes", map[string]string{"repositories": "repositoryName"}},
	{"maven-rebuild-metadata", "repository.maven.rebuild-metadata", map[string]string{
		"repository": "repositoryName", "group": "groupId", "artifact": "artifactId", "version": "baseVersion",
	}},
	{"maven-remove-snapshots", "repository.maven.remove-snapshots", map[string]string{
		"repository": "repositoryName", "keep": "minimumRetained", "days": "snapshotRetentionDays", "ifReleased": "removeIfReleased",
		"graceDays": "gracePeriodInDays",
	}},
	{"maven-remove-unused-snapshots", "repository.maven.purge-unused-snapshots", map[string]string{"repository": "repositoryName", "days": "lastUsed"}},
	{"remove-unused", "repository.purge-unused", map[string]string{"repository": "repositoryName", "days": "lastUsed"}},
	{"remove-orphaned-tokens", "security.purge-api-keys", nil},
}

// needless are old kinds of tasks that this server does without, with the reason.
var needless = map[string]string{
	"assetBlob.cleanup":                   "blobs that nothing uses are found when a blob store is compacted",
	"blobstore.delete-temp-files":         "temporary files are removed at each start",
	"blobstore.metrics.reconcile":         "the figures of blob stores are always exact",
	"blobstore.rebuildComponentDB":        "records and blobs cannot come apart; verify-blobs compares them",
	"blobstore.planReconciliation":        "records and blobs cannot come apart; verify-blobs compares them",
	"blobstore.executeReconciliationPlan": "records and blobs cannot come apart; verify-blobs compares them",
	"component.normalize.version":         "versions are compared as they are",
	"h2.backup.task":                      "there is no such database; back up the data folder",
	"db.backup":                           "there is no such database; back up the data folder",
	"license.expiration.notification":     "there is no licence that could expire",
	"repository.search.update":            "the search index follows all changes by itself",
	"script":                              "scripts are kept, and not run",
	"secrets.migration":                   "secrets were sealed anew when they came",
	"tasklog.cleanup":                     "runs write to the server's log",
}

// Needless tells why this server has no tasks of an old kind; "" when there is no more to say than that it has none.
func Needless(there string) string { return needless[there] }

// TaskType gives the old name of a kind of task. Kinds that only one side has are called the same on both.
func TaskType(here string) string {
	for _, t := range taskTypes {
		if t.here == here {
			return t.there
		}
	}
	return here
}

// NativeTaskType gives our name of a kind of task.
func NativeTaskType(there string) string {
	for _, t := range taskTypes {
		if t.there == there {
			return t.here
		}
	}
	return there
}

// TaskProperty gives the old name of a property of a task; here is our name of its type.
func TaskProperty(here, property string) string {
	for _, t := range taskTypes {
		if old, ok := t.properties[property]; ok && t.here == here {
			return old
		}
	}
	return property
}

// TaskProperties gives the properties of a task under their old names; here is our name of its type.
func TaskProperties(here string, properties map[string]string) map[string]string {
	return renamed(properties, func(name string) string { return TaskProperty(here, name) })
}

// NativeTaskProperties gives the properties of a task under our names; here is our name of its type.
func NativeTaskProperties(here string, properties map[string]string) map[string]string {
	back := make(map[string]string)
	for _, t := range taskTypes {
		if t.here == here {
			for ours, old := range t.properties {
				back[old] = ours
			}
		}
	}
	return renamed(properties, func(name string) string {
		if ours, ok := back[name]; ok {
			return ours
		}
		return name
	})
}

func renamed(properties map[string]string, name func(string) string) map[string]string {
	out := make(map[string]string, len(properties))
	for k, v := range properties {
		out[name(k)] = v
	}
	return out
}
