package names

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTasks(t *testing.T) {
	for here, there := range map[string]string{"cleanup": "repository.cleanup", "collect-blobs": "blobstore.compact", "verify-blobs": "verify-blobs", "script": "script"} {
		if got := TaskType(here); got != there {
			t.Errorf("TaskType(%s) = %s", here, got)
		}
		if got := NativeTaskType(there); got != here {
			t.Errorf("NativeTaskType(%s) = %s", there, got)
		}
	}
	for _, id := range []string{"tasklog.cleanup", "script"} {
		if Needless(id) == "" || NativeTaskType(id) != id {
			t.Errorf("nothing is said of %s", id)
		}
	}
	if Needless("repository.cleanup") != "" {
		t.Error("cleanup is needless")
	}
	ours := map[string]string{"blobStore": "default", "olderThanDays": "3", "dryRun": "true"}
	old := map[string]string{"blobstoreName": "default", "blobsOlderThan": "3", "dryRun": "true"}
	if d := cmp.Diff(old, TaskProperties("collect-blobs", ours)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ours, NativeTaskProperties("collect-blobs", old)); d != "" {
		t.Error(d)
	}
}
