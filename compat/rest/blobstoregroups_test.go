package rest

import (
	"strings"
	"testing"
)

func TestBlobStoreGroups(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "POST", "v1/blobstores/file", `{"name":"a","path":"a"}`, 204, nil},
		{admin, "POST", "v1/blobstores/file", `{"name":"b","path":"b"}`, 204, nil},
		{admin, "POST", "v1/blobstores/group", `{}`, 400, []string{
			`{"id":"PARAMETER name","message":"Name is required"}`, `{"id":"PARAMETER members","message":"must not be null"}`,
			`{"id":"PARAMETER fillPolicy","message":"must not be null"}`,
		}},
		{admin, "POST", "v1/blobstores/group", `{"name":"g","members":["nope"],"fillPolicy":"x"}`, 400, []string{
			`{"id":"fillPolicy","message":"must be one of roundRobin, writeToFirst"}`, `{"id":"members","message":"Blob store nope does not exist"}`,
		}},
		{admin, "POST", "v1/blobstores/group", `{"name":"g","members":["a"],"fillPolicy":"roundRobin"}`, 204, nil},
		{admin, "GET", "v1/blobstores/group/g", "", 200, []string{`"softQuota" : null`, `"name" : "g"`, `"members" : [ "a" ]`, `"fillPolicy" : "roundRobin"`}},
		{admin, "GET", "v1/blobstores/group/a", "", 404, []string{`"Unable to find Group 'a' blobstore"`}},
		{admin, "GET", "v1/blobstores", "", 200, []string{`"type" : "Group"`}},
		{admin, "PUT", "v1/blobstores/group/g", `{"members":["a"],"fillPolicy":"writeToFirst","softQuota":{"type":"spaceUsedQuota","limit":5}}`, 204, nil},
		{admin, "GET", "v1/blobstores/g/quota-status", "", 200, []string{`"isViolation" : false`, `"blobStoreName" : "g"`}},
		{admin, "GET", "internal/ui/blobstores/usage/a", "", 200, []string{`"blobStoreUsage" : 1`}},
		{admin, "DELETE", "v1/blobstores/a", "", 400, []string{"BlobStore a is in use and cannot be deleted"}},
		{admin, "POST", "v1/repositories/raw/hosted", strings.Replace(rawHosted, `"default"`, `"b"`, 1), 201, nil},
		{admin, "POST", "v1/blobstores/group/convert/b/b-first", "", 200, []string{`"name" : "b"`, `"members" : [ "b-first" ]`, `"fillPolicy" : "writeToFirst"`}},
		{admin, "POST", "v1/blobstores/group/convert/nope/x", "", 404, nil},
		{"", "POST", "v1/blobstores/group/convert/b-first/x", "", 403, nil},
		{admin, "GET", "v1/blobstores/file/b-first", "", 200, []string{`"path" : "b"`}},
		{admin, "DELETE", "v1/blobstores/g", "", 204, nil},
		{admin, "DELETE", "v1/blobstores/a", "", 204, nil},
	})
}

func TestBuckets(t *testing.T) {
	const body = `{"name":"s","bucketConfiguration":{"bucket":{"region":"eu-west-1","name":"bkt"}}}`
	newRig(t).play(t, []exchange{
		{admin, "POST", "v1/blobstores/s3", `{"name":"s","bucketConfiguration":{"bucket":{}}}`, 400, []string{`{"id":"PARAMETER region","message":"must not be null"}`}},
		{admin, "POST", "v1/blobstores/s3", body, 400, []string{"ValidationErrorXO{id='*', message='Unable to initialize blob store bucket: bkt, Cause: this server"}},
		{"", "POST", "v1/blobstores/s3", body, 403, nil},
		{admin, "GET", "v1/blobstores/s3/default", "", 400, []string{"default is not an S3 blob store."}},
		{admin, "GET", "v1/blobstores/s3/s", "", 404, []string{"Unable to find S3 's' blobstore"}},
		{admin, "PUT", "v1/blobstores/s3/s", body, 400, []string{"No S3 blob store called 's'"}},
		{admin, "PUT", "v1/blobstores/s3/default", body, 400, []string{"Blob store default is not an S3 blob store"}},
		{admin, "POST", "v1/blobstores/test-connection", `{}`, 400, []string{"Connection failed"}},
		{admin, "POST", "v1/blobstores/azure", `{}`, 405, nil},
		{admin, "GET", "v1/blobstores/google/x", "", 404, nil},
	})
}
